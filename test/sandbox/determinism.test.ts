/** The same start and the same deliveries give the same turns and telemetry, byte for byte, in another process. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSandbox } from '../../infra/sandbox/pool.ts';
import type { Sandbox } from '../../src/ports/sandbox.ts';
import { CLOCK, http, run, value } from '../support/sandbox-run.ts';

let first: Sandbox;
let second: Sandbox;
beforeAll(async () => {
  [first, second] = await Promise.all([openSandbox({ size: 1 }), openSandbox({ size: 1 })]);
});
afterAll(() => Promise.all([first.close(), second.close()]));

test('time, randomness, timers, races and telemetry are the same in two processes', async () => {
  const code = `async function main() {
    class Later extends Date {}
    const race = await Promise.race([
      fetch('https://a.example/').then(() => 'fetch'),
      new Promise((r) => setTimeout(r, 3, 'timer')),
    ]);
    const ticks = []; let n = 0;
    await new Promise((done) => { const id = setInterval(() => { ticks.push(Date.now()); if (++n === 3) { clearInterval(id); done(); } }, 20); });
    console.log('race', race, Math.random(), crypto.randomUUID());
    return [race, ticks, Date.now(), new Date().toISOString(), new Later().getTime(), Date(), new (new Date().constructor)().getTime(),
      Temporal.Now.instant().toString(), Temporal.Now.plainDateTimeISO().toString(), Temporal.Now.timeZoneId(), performance.now(), performance.timeOrigin,
      new Intl.DateTimeFormat().format(), new Intl.DateTimeFormat('en', { timeStyle: 'long' }).formatToParts(), new Intl.DateTimeFormat().resolvedOptions(),
      Math.random(), [...crypto.getRandomValues(new Uint32Array(5))], [...crypto.getRandomValues(new Uint8Array(3000))].length, crypto.randomUUID(),
      new Date().toLocaleString(), (1234.5).toLocaleString(), new Error('x').stack];
  }`;
  const [a, b] = await Promise.all([run(first, code), run(second, code)]);
  expect(a.error).toBeUndefined();
  expect(JSON.stringify(b)).toBe(JSON.stringify(a));
  const output = a.output as unknown[];
  expect(output[0]).toBe('fetch');
  expect(output[1]).toEqual([CLOCK + 25, CLOCK + 45, CLOCK + 65]);
  expect(output[2]).toBe(CLOCK + 65);
  expect(output[3]).toBe(new Date(CLOCK + 65).toISOString());
  expect(output[7]).toBe(new Date(CLOCK + 65).toISOString());
  expect(output[10]).toBe(65);
});

test('another seed gives other randomness and nothing else', async () => {
  const code = 'function main() { return [Math.random(), Date.now()] }';
  const a = await run(first, code);
  const b = await run(first, code, { seed: '08'.repeat(32) });
  expect((b.output as number[])[0]).not.toBe((a.output as number[])[0]);
  expect((b.output as number[])[1]).toBe((a.output as number[])[1]);
});

test('a loop that reads the clock sees a millisecond pass in 1,000 reads', async () => {
  const code = 'function main() { const from = Date.now(); let n = 1; while (Date.now() < from + 3) n++; return n }';
  expect((await run(first, code)).output).toBe(2999);
});

test('timers fire in the order of due time and then of creation', async () => {
  const code = `async function main() {
    const order = [];
    setTimeout(() => order.push('b10'), 10); setTimeout(() => order.push('a5'), 5); setTimeout(() => order.push('c10'), 10);
    setImmediate(() => order.push('now')); queueMicrotask(() => order.push('micro'));
    const never = setTimeout(() => order.push('never'), 7); clearTimeout(never);
    await new Promise((r) => setTimeout(r, 11)); return order;
  }`;
  expect((await run(first, code)).output).toEqual(['micro', 'now', 'a5', 'b10', 'c10']);
});

/** Small programs of awaits, races, timers, concurrent steps and nesting. */
const program: fc.Arbitrary<string> = fc.letrec<{ expression: string }>((tie) => ({
  expression: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.integer({ min: 0, max: 9 }).map((n) => `fetch('https://a.example/${n}').then((r) => r.status)`),
    fc.integer({ min: 0, max: 30 }).map((n) => `new Promise((r) => setTimeout(r, ${n}, Date.now()))`),
    fc.integer({ min: 0, max: 30 }).map((n) => `sleep(${n})`),
    fc.constant('Math.random()'),
    fc.constant('(console.log(Date.now(), Math.random()), null)'),
    fc.constant('Promise.reject(new DataError(crypto.randomUUID())).catch((e) => e.message)'),
    fc.array(tie('expression'), { minLength: 1, maxLength: 3 }).map((all) => `Promise.all([${all.join()}])`),
    fc.array(tie('expression'), { minLength: 1, maxLength: 3 }).map((all) => `Promise.race([${all.join()}])`),
    tie('expression').map(
      (inner) => `step('s', async () => { const v = await ${inner}; console.log('in step'); return v })`,
    ),
    tie('expression').map((inner) => `span('p', async () => { await ${inner}; console.log('in span'); return 1 })`),
    fc.tuple(tie('expression'), tie('expression')).map(([a, b]) => `(async () => [await ${a}, await ${b}])()`),
  ),
})).expression;

test('generated programs run the same twice', async () => {
  await fc.assert(
    fc.asyncProperty(program, async (expression) => {
      const code = `async function main() { return [await ${expression}, Date.now()] }`;
      const answer = (call: { kind: string }) => (call.kind === 'http' ? http({}) : value(null));
      const [a, b] = await Promise.all([run(first, code, { answer }), run(second, code, { answer })]);
      expect(a.error).toBeUndefined();
      expect(JSON.stringify(b)).toBe(JSON.stringify(a));
    }),
    { numRuns: 150 },
  );
});
