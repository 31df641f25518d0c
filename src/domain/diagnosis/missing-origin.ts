/** Says of a value that was missing, or not what the code took it for, which recorded value it was taken from. */
import type { Json, Position } from '../event.ts';
import type { TaskErrorData } from '../journal.ts';
import { fits } from './call-site.ts';
import { failingFrame } from './failing-line.ts';
import { called } from './failing-step.ts';
import type { FailureCase, RecordedStep } from './failure-case.ts';
import { type Blamed, blamed, type Complaint, complaintOf } from './missing-value.ts';
import { nearNames } from './near-names.ts';
import { type Looked, look, seenValue } from './recorded-value.ts';
import { framesOf } from './stack-frames.ts';
import { child, children, textOf } from './syntax.ts';
import { originOf } from './value-origin.ts';

export interface MissingOrigin {
  readonly from: 'input' | 'step' | 'search';
  readonly step: RecordedStep | null;
  /** JSON pointer into the input, or into what the step answered. */
  readonly pointer: string | null;
  /** A clause such as `the answer of step 1 (GET …) has no /user`. */
  readonly said: string;
  /** A name beside the missing one that is written almost like it. */
  readonly near: string | null;
  readonly events: readonly Position[];
}

export interface MissingValue {
  readonly complaint: Complaint;
  /** As the code writes it; null where the code does not show it. */
  readonly expression: string | null;
  readonly origin: MissingOrigin | null;
}

/** @returns what was missing or wrong; null for an error that is not about a value of the code. */
export function missingValue(subject: FailureCase, error: TaskErrorData): MissingValue | null {
  const complaint = error.name === 'TypeError' ? complaintOf(error.message) : null;
  if (complaint === null) return null;
  const frame = failingFrame(error)?.frame;
  const { code } = subject;
  const found = code === null || frame === undefined ? null : blamed(code, complaint, frame);
  const origin = found === null ? null : originFound(subject, error, complaint, found);
  return {
    complaint,
    expression: complaint.expression ?? patternSource(subject, found) ?? found?.text ?? null,
    origin,
  };
}

/** A pattern is not what was missing: what it takes apart was. */
function patternSource({ code }: FailureCase, found: Blamed | null): string | null {
  if (code === null || found?.node.type !== 'ObjectPattern') return null;
  const names = children(found.node, 'properties').flatMap((property) => {
    const key = child(property, 'key');
    return key === null ? [] : [textOf(code, key)];
  });
  return `what { ${names.join(', ')} } is taken from`;
}

function originFound(
  subject: FailureCase,
  error: TaskErrorData,
  complaint: Complaint,
  found: Blamed,
): MissingOrigin | null {
  const { code, run } = subject;
  // Of a method that is none, the value it was looked for on tells more.
  const object = complaint.about === 'not_a_function' ? child(found.node, 'object') : null;
  const origin = code === null ? null : originOf(code, framesOf(error.stack), object ?? found.node);
  if (code === null || origin === null) return null;
  if (origin.from === 'search') {
    const said = `${origin.method}() found nothing: ${textOf(code, origin.call)}`;
    return { from: 'search', step: null, pointer: null, said, near: null, events: [] };
  }
  if (origin.from === 'input') {
    const looked = fitting(complaint, look(run.input, origin.path));
    return looked === null ? null : told('the input', looked, null, run.requestedPosition);
  }
  const { kind, call, path } = origin;
  for (const step of run.steps.filter((one) => one.kind === kind && fits(call, one)).reverse()) {
    const value = seenValue(step);
    const looked = value === undefined ? null : fitting(complaint, look(value, path));
    if (looked !== null) return told(`the answer of ${called(step)}`, looked, step, step.position);
  }
  return null;
}

/** What is recorded must be what the error says: nothing where it says nothing, no function or list where it says that. */
function fitting(complaint: Complaint, looked: Looked | null): Looked | null {
  if (looked === null || complaint.about !== 'missing') return looked;
  if (looked.what === 'value') return null;
  return (looked.what === 'null') === (complaint.value === 'null') ? looked : null;
}

function told(whose: string, looked: Looked, step: RecordedStep | null, position: Position): MissingOrigin {
  const name = looked.pointer.split('/').at(-1)?.replaceAll('~1', '/').replaceAll('~0', '~') ?? '';
  const near = looked.what === 'absent' ? (nearNames(name, looked.beside)[0] ?? null) : null;
  const from = step === null ? ('input' as const) : ('step' as const);
  return { from, step, pointer: looked.pointer, said: `${whose} ${holds(looked)}`, near, events: [position] };
}

function holds({ what, pointer, value, beside }: Looked): string {
  if (what === 'absent')
    return `has no ${pointer}${beside.length === 0 ? '' : `, only ${beside.slice(0, 8).join(', ')}`}`;
  if (pointer === '') return `is ${kindOf(value)}`;
  return `has ${kindOf(value)} at ${pointer}`;
}

function kindOf(value: Json): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
