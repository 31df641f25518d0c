/** Fixtures that ask the client: by requests in the older era, by results that want more in the newer one. */
import {
  createRequestStateCodec,
  type InputRequests,
  inputRequired,
  ProtocolError,
  ProtocolErrorCode,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { record } from '../../../src/interfaces/rest-request.ts';
import { ask, type Fields, said, sample } from './contents.ts';
import { fixture } from './fixture-tool.ts';

const CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities';
const codec = createRequestStateCodec({ key: 'only for tests, and 32 bytes long' });

const STRING = { type: 'string' as const };
const NAME = ask('What is your name?', { name: STRING }, ['name']);
const ROOTS = { method: 'roots/list' as const, params: {} };
const choice = (value: string, title: string) => ({ const: value, title });
const OPTIONS = ['option1', 'option2', 'option3'];

const DEFAULTS: Fields = {
  name: { ...STRING, default: 'John Doe' },
  age: { type: 'integer', default: 30 },
  score: { type: 'number', default: 95.5 },
  status: { ...STRING, enum: ['active', 'inactive', 'pending'], default: 'active' },
  verified: { type: 'boolean', default: true },
};

const ENUMS: Fields = {
  untitledSingle: { ...STRING, enum: OPTIONS },
  titledSingle: { ...STRING, oneOf: [choice('value1', 'First Option'), choice('value2', 'Second Option')] },
  legacyEnum: { ...STRING, enum: ['opt1', 'opt2', 'opt3'], enumNames: ['Option One', 'Option Two', 'Option Three'] },
  untitledMulti: { type: 'array', items: { ...STRING, enum: OPTIONS } },
  titledMulti: {
    type: 'array',
    items: { anyOf: [choice('value1', 'First Choice'), choice('value2', 'Second Choice')] },
  },
};

/** What the user has filled in; null where nothing was, or not as asked. */
function filledIn(context: ServerContext, key: string, field: string): string | null {
  const response = record(record(context.mcpReq.inputResponses)[key]);
  const value = record(response['content'])[field];
  return response['action'] === 'accept' && (typeof value === 'string' || typeof value === 'boolean')
    ? String(value)
    : null;
}

function answered(context: ServerContext, keys: readonly string[]): boolean {
  const responses = record(context.mcpReq.inputResponses);
  return keys.every((key) => typeof responses[key] === 'object' && responses[key] !== null);
}

async function stateOf(context: ServerContext): Promise<string | null> {
  const state = context.mcpReq.requestState<string>();
  if (state === undefined) return null;
  try {
    return String(await codec.verify(state, context));
  } catch {
    throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'requestState is not what was handed out');
  }
}

async function wants(context: ServerContext, inputRequests: InputRequests, state?: string) {
  return inputRequired({
    inputRequests,
    ...(state === undefined ? {} : { requestState: await codec.mint(state, context) }),
  });
}

function form(message: string, properties: Fields) {
  return async ({ mcpReq }: ServerContext) => {
    const { action, content } = await mcpReq.elicitInput(ask(message, properties, []).params);
    return said(`Elicitation completed: action=${action}, content=${JSON.stringify(content ?? {})}`);
  };
}

const oneString = (name: string) => ({ type: 'object' as const, properties: { [name]: STRING }, required: [name] });

export const ASKING_TOOLS = [
  fixture(
    'test_sampling',
    async ({ mcpReq }, { prompt }) => {
      const { content } = await mcpReq.requestSampling(sample(String(prompt), 100).params);
      return said(`LLM response: ${String(record(content)['text'])}`);
    },
    oneString('prompt'),
  ),
  fixture(
    'test_elicitation',
    async ({ mcpReq }, { message }) => {
      const asked = ask(String(message), { username: STRING, email: STRING }, ['username', 'email']);
      const { action, content } = await mcpReq.elicitInput(asked.params);
      return said(`User response: action=${action}, content=${JSON.stringify(content ?? {})}`);
    },
    oneString('message'),
  ),
  fixture('test_elicitation_sep1034_defaults', form('Please look at the values', DEFAULTS)),
  fixture('test_elicitation_sep1330_enums', form('Please choose', ENUMS)),
  fixture('test_input_required_result_elicitation', (context) => {
    const name = filledIn(context, 'user_name', 'name');
    return name === null ? wants(context, { user_name: NAME }) : said(`Hello, ${name}!`);
  }),
  fixture('test_input_required_result_sampling', (context) => {
    if (!answered(context, ['capital_question'])) {
      return wants(context, { capital_question: sample('What is the capital of France?', 100) });
    }
    return said(JSON.stringify(record(context.mcpReq.inputResponses)['capital_question']));
  }),
  fixture('test_input_required_result_list_roots', (context) => {
    if (!answered(context, ['client_roots'])) return wants(context, { client_roots: ROOTS });
    return said(JSON.stringify(record(context.mcpReq.inputResponses)['client_roots']));
  }),
  fixture('test_input_required_result_request_state', async (context) => {
    const state = await stateOf(context);
    if (state === 'confirm' && answered(context, ['confirm'])) return said('state-ok');
    return wants(context, { confirm: ask('Please confirm', { ok: { type: 'boolean' } }, ['ok']) }, 'confirm');
  }),
  fixture('test_input_required_result_multiple_inputs', async (context) => {
    const state = await stateOf(context);
    if (state === 'all' && answered(context, ['user_name', 'greeting', 'client_roots'])) return said('all are there');
    return wants(context, { user_name: NAME, greeting: sample('Generate a greeting', 50), client_roots: ROOTS }, 'all');
  }),
  fixture('test_input_required_result_multi_round', async (context) => {
    const state = await stateOf(context);
    if (state === 'two' && filledIn(context, 'step2', 'color') !== null) return said('both steps are done');
    if (state !== null && (state === 'two' || filledIn(context, 'step1', 'name') !== null)) {
      return wants(
        context,
        { step2: ask('Step 2: What is your favorite color?', { color: STRING }, ['color']) },
        'two',
      );
    }
    return wants(context, { step1: ask('Step 1: What is your name?', { name: STRING }, ['name']) }, 'one');
  }),
  fixture('test_input_required_result_tampered_state', async (context) => {
    const state = await stateOf(context);
    if (state !== null) return said('state-ok');
    return wants(context, { confirm: ask('Please confirm', { ok: { type: 'boolean' } }, ['ok']) }, 'sealed');
  }),
  fixture('test_input_required_result_capabilities', (context) => {
    const can = record(record(context.mcpReq.envelope)[CAPABILITIES]);
    return wants(context, {
      ...(can['sampling'] === undefined ? {} : { greeting: sample('Generate a greeting', 50) }),
      ...(can['elicitation'] === undefined ? {} : { user_name: NAME }),
    });
  }),
];
