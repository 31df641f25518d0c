/** Carries out one call of a tool: counted, bounded in time, and told to the audit trail however it ends. */
import { ProtocolError, ProtocolErrorCode } from '@modelcontextprotocol/server';
import { nearNames } from '../../domain/diagnosis/near-names.ts';
import { asRatchetError, isRatchetError, RatchetError } from '../../domain/errors.ts';
import { hasOwnTime } from '../own-time.ts';
import { record } from '../rest-request.ts';
import { countCall, countMessages } from './call-limits.ts';
import type { McpMount } from './mount.ts';
import type { Tool, ToolCall, ToolOutcome } from './tool.ts';
import { toolError } from './tool-answer.ts';

/** Refusals that belong into the audit trail by themselves. */
const REFUSALS = ['unauthenticated', 'permission_denied', 'dangerous_task', 'queue_full', 'rate_limited'] as const;

/** Errors of the call are its result, so that the model sees them; only errors of the protocol are errors of the protocol. */
export async function answerCall(mount: McpMount, call: ToolCall, name: string, args: unknown): Promise<ToolOutcome> {
  const tool = mount.toolbox.find(name);
  const since = performance.now();
  const tell = (outcome: string, answer: unknown): void => {
    const { principal, source } = call.caller;
    mount.onCall({
      tool: tool?.listed.name ?? name.slice(0, 128),
      principal: principal.id,
      session: source.sessionId,
      client: source.clientInfo,
      outcome,
      durationMs: Math.round(performance.now() - since),
      executionId: executionIn(answer) ?? executionIn(args),
    });
  };
  if (tool === null) {
    tell('unknown_tool', null);
    throw unknownTool(name, mount.toolbox.names(call.caller.principal));
  }
  try {
    const answer = await carriedOut(mount, tool, call, args);
    tell(outcomeOf(answer), 'structuredContent' in answer ? answer.structuredContent : answer);
    return answer;
  } catch (error) {
    const { code } = asRatchetError(error);
    tell(error instanceof ProtocolError ? 'protocol_error' : code, null);
    if (error instanceof ProtocolError) throw error;
    const reason = REFUSALS.find((refusal) => refusal === code);
    if (reason !== undefined) {
      mount.onRefusal({ principal: call.caller.principal.id, operation: `tools/call ${tool.listed.name}`, reason });
    }
    if (!isRatchetError(error)) mount.onTrouble(error);
    return toolError(error);
  }
}

async function carriedOut(mount: McpMount, tool: Tool, call: ToolCall, args: unknown): Promise<ToolOutcome> {
  const { toolbox, limits, core } = mount;
  const { principal } = call.caller;
  toolbox.assertUsable(tool, principal);
  // Over HTTP messages are counted at the door, before they are read.
  if (call.contact.transport === 'stdio') await countMessages(core.rateLimits, limits, principal, 1);
  await countCall(core.rateLimits, limits, principal, tool.listed.name, args);
  const answer = await (hasOwnTime(tool.listed.name)
    ? tool.call(call, args)
    : within(mount.callTimeoutMs, tool, call, args));
  assertSize(answer, mount.settings.maxOutputBytes);
  return answer;
}

/** Fails with `response_too_large`. The data of an answer says the same as its text, and is measured with it. */
function assertSize(answer: ToolOutcome, maxBytes: number): void {
  if (!('content' in answer) || !Array.isArray(answer.content)) return;
  const texts = answer.content.flatMap((block) => (block.type === 'text' ? [block.text] : []));
  // No character takes more than three bytes for each unit of its length.
  if (texts.reduce((sum, text) => sum + text.length * 3, 0) <= maxBytes) return;
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes <= maxBytes) return;
  throw new RatchetError(
    'response_too_large',
    `the answer has ${bytes} bytes, more than the ${maxBytes} of mcp.security.max_output_size`,
    { details: { bytes, maxBytes } },
  );
}

/** Fails with `timeout` for a call that takes longer, the wait that it asked for not counted. */
async function within(ms: number, tool: Tool, call: ToolCall, args: unknown): Promise<ToolOutcome> {
  const { wait_seconds } = record(args);
  const askedMs = typeof wait_seconds === 'number' && wait_seconds > 0 ? wait_seconds * 1_000 : 0;
  const overdue = Promise.withResolvers<never>();
  const timer = setTimeout(
    () =>
      overdue.reject(new RatchetError('timeout', `${tool.listed.name} took longer than mcp.request_timeout allows`)),
    ms + Math.min(askedMs, call.core.wait.maxSeconds * 1_000),
  );
  try {
    return await Promise.race([tool.call(call, args), overdue.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function outcomeOf(answer: ToolOutcome): string {
  if (record(answer)['resultType'] === 'input_required') return 'input_required';
  return 'isError' in answer && answer.isError === true ? 'error' : 'ok';
}

/** As tools name it; a task of the protocol is an execution. */
function executionIn(told: unknown): string | null {
  const { execution_id, taskId } = record(told);
  const id = execution_id ?? taskId;
  return typeof id === 'string' ? id.slice(0, 64) : null;
}

function unknownTool(name: string, known: readonly string[]): ProtocolError {
  const [guess] = nearNames(name.replace(/^ratchet[._]/, ''), known);
  const hint = guess === undefined ? `Known tools: ${known.join(', ')}` : `Did you mean ${guess}?`;
  return new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown tool: ${name.slice(0, 128)}. ${hint}`);
}
