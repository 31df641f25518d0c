/** Tasks that touch every kind of step which a failure could lose or double, and what each must answer in spite of it. */
import type { Json, JsonObject } from '../../../src/domain/event.ts';
import type { Random } from './random.ts';

/** Calls one label outside; a 503 is an error that can pass. */
const CALL = `const callerOf = ({ base }, { executionId, attempt }) => async (label, method = 'GET') => {
  const response = await fetch(base + '/' + executionId + '/' + label + '?attempt=' + attempt, { method });
  if (!response.ok) throw new ServiceUnavailableError('refused with ' + response.status);
  return (await response.json()).label;
};`;

interface Kind {
  readonly name: string;
  /** Of a hundred. */
  readonly share: number;
  readonly body: string;
  /** What it answers, however often it is interrupted. */
  readonly answers: (key: string) => Json;
  /** Beside the task and its input. */
  readonly request?: JsonObject;
  /** `fail`: it may also end with `unknown_outcome`, because no call is sent twice. `resend` where left out. */
  readonly unknownSteps?: 'fail';
  readonly follow?: NonNullable<Wish['follow']>;
}

const AGAIN = { max_attempts: 5, initial_ms: 50, factor: 2, max_ms: 500 };

const KINDS: readonly Kind[] = [
  { name: 'quick', share: 15, body: 'return input.key;', answers: (key) => key },
  {
    name: 'reading',
    share: 15,
    body: `const a = await call('get-1'); console.log('one', a); const b = await call('get-2'); console.warn('two', b);
      return [a, b, await call('get-3')];`,
    answers: () => ['get-1', 'get-2', 'get-3'],
  },
  {
    name: 'writing',
    share: 15,
    body: `const told = []; for (let n = 1; n <= 4; n++) { console.info('step', n); told.push(await call('post-' + n, 'POST')); }
      return told;`,
    answers: () => [1, 2, 3, 4].map((n) => `post-${n}`),
  },
  {
    name: 'writing-once',
    share: 10,
    body: `const first = await call('put-1', 'PUT'); return [first, await call('post-2', 'POST')];`,
    answers: () => ['put-1', 'post-2'],
    unknownSteps: 'fail',
  },
  {
    name: 'at-once',
    share: 10,
    body: `return Promise.all([call('get-1'), call('slow-post-2', 'POST'), call('get-3'), call('post-4', 'POST')]);`,
    answers: () => ['get-1', 'slow-post-2', 'get-3', 'post-4'],
  },
  {
    name: 'slow',
    share: 6,
    body: `const a = await call('slow-get-1'); await sleep(700); return [a, await call('slow-post-2', 'POST')];`,
    answers: () => ['slow-get-1', 'slow-post-2'],
  },
  {
    name: 'parking',
    share: 4,
    body: `const a = await call('post-1', 'POST'); console.log('parks'); await sleep(6000); return [a, await call('get-2')];`,
    answers: () => ['post-1', 'get-2'],
  },
  {
    name: 'parent',
    share: 7,
    body: `const a = await runTask('writing', { base: input.base, key: input.key });
      const [b, c] = await Promise.all([runTask('reading', { base: input.base, key: input.key }), call('post-9', 'POST')]);
      return { a, b, c };`,
    answers: () => ({
      a: [1, 2, 3, 4].map((n) => `post-${n}`),
      b: ['get-1', 'get-2', 'get-3'],
      c: 'post-9',
    }),
  },
  {
    name: 'retried',
    share: 4,
    body: `const a = await call('post-1', 'POST'); if (context.attempt === 1) await call('refused-2'); return [a, await call('get-3')];`,
    answers: () => ['post-1', 'get-3'],
    request: { retry: AGAIN },
  },
  {
    name: 'retried-step',
    share: 4,
    body: `const a = await call('post-1', 'POST'); return [a, await call('flaky-post-2', 'POST')];`,
    answers: () => ['post-1', 'flaky-post-2'],
    request: { retry: { ...AGAIN, from: 'failed-step' } },
  },
  {
    name: 'asking',
    share: 5,
    body: `const a = await call('post-1', 'POST'); const said = await ask('what?'); return [a, said, await call('post-2', 'POST')];`,
    answers: () => ['post-1', 'that', 'post-2'],
    follow: { path: 'answer', body: { answer: 'that' } },
  },
  {
    name: 'unwanted',
    share: 5,
    body: `const a = await call('post-1', 'POST'); await sleep(300); return [a, await call('slow-post-2', 'POST')];`,
    answers: () => ['post-1', 'slow-post-2'],
    follow: { path: 'cancel', body: { reason: 'no longer wanted' } },
  },
];

/** @returns what creates every task. */
export function taskDefinitions(): readonly JsonObject[] {
  return KINDS.map(({ name, body, unknownSteps = 'resend' }) => ({
    name,
    code: `${CALL}\nasync function main(input, context) {\n  const call = callerOf(input, context);\n  ${body}\n}`,
    metadata: { unknown_steps: unknownSteps },
  }));
}

/** One request that a client will make. */
export interface Wish {
  readonly key: string;
  readonly kind: string;
  readonly request: JsonObject;
  /** What its output must be. */
  readonly answers: Json;
  /** How else it may end: as failed, because nobody knows whether a call took effect, or as cancelled. */
  readonly mayEnd: 'failed' | 'cancelled' | null;
  /** What is asked of the execution when it is acknowledged; null for nothing. */
  readonly follow: { readonly path: 'answer' | 'cancel'; readonly body: JsonObject } | null;
}

/** @returns that many requests, mixed as the seed says. */
export function wishes(count: number, base: string, random: Random): readonly Wish[] {
  const mix = KINDS.flatMap((kind) => Array.from({ length: kind.share }, () => kind));
  return Array.from({ length: count }, (_, index): Wish => {
    const { name, answers, request = {}, unknownSteps, follow = null } = random.pick(mix);
    const key = `${name}-${index}`;
    return {
      key,
      kind: name,
      request: { ...request, task_id: name, input: { key, base } },
      answers: answers(key),
      mayEnd: unknownSteps === 'fail' ? 'failed' : follow?.path === 'cancel' ? 'cancelled' : null,
      follow,
    };
  });
}
