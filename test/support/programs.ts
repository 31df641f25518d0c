/** Generated task programs: everything in which time, order and failure can differ, in both styles of `fetch`. */
import fc from 'fast-check';

/** Answers of the loopback server, some of which fail, some of which are slow. */
const address = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 5 }).map((ms) => `/slow?ms=${ms}`) },
  { weight: 2, arbitrary: fc.constantFrom('/json', '/text', '/empty') },
  { weight: 1, arbitrary: fc.constantFrom('/status/404', '/status/429', '/status/503') },
  { weight: 1, arbitrary: fc.constant('/drop') },
);
const ms = fc.integer({ min: 0, max: 8 });
const label = fc.constantFrom('a', 'b', 'c');
const errorClass = fc.constantFrom('Error', 'TypeError', 'DataError', 'NetworkError', 'RateLimitError');

/** Values that need no step. */
const plain = fc.oneof(
  fc.constantFrom('Math.random()', 'Date.now()', 'crypto.randomUUID()', 'performance.now()', 'context.attempt'),
  fc.constantFrom('debug', 'info', 'warn', 'error').map((level) => `note('${level}')`),
  fc.nat({ max: 100 }).map((n) => `(reportProgress({ progress: ${n} / 100, message: String(Date.now()) }), ${n})`),
);

const promises = fc.letrec<{ value: string; list: string }>((tie) => ({
  list: fc.array(tie('value'), { minLength: 1, maxLength: 4 }).map((all) => all.join(', ')),
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    plain,
    address.map((path) => `fetch(url + '${path}').then((answer) => answer.status)`),
    fc.tuple(address, ms).map(([path, n]) => `fetch(url + '${path}', { timeout: ${n + 1} }).then((a) => a.text())`),
    fc.constant(
      `fetch(url + '/echo', { method: 'POST', body: String(Math.random()) }).then((a) => a.json()).then((a) => a.body)`,
    ),
    ms.map((n) => `new Promise((resolve) => setTimeout(() => resolve(Date.now()), ${n}))`),
    ms.map((n) => `sleep(${n})`),
    fc.constant(`runTask('echo', Math.random())`),
    errorClass.map((name) => `Promise.reject(new ${name}('on purpose ' + Math.random()))`),
    fc
      .tuple(fc.constantFrom('all', 'race', 'any', 'allSettled'), tie('list'))
      .map(([how, all]) => `Promise.${how}([${all}])`),
    tie('value').map((value) => `caught(async () => await ${value})`),
    tie('value').map((value) => `(void caught(async () => await ${value}), 'left behind')`),
    fc
      .tuple(label, tie('value'))
      .map(([name, value]) => `step('${name}', async () => { note('info'); return await ${value}; })`),
    fc
      .tuple(label, tie('value'))
      .map(([name, value]) => `span('${name}', async () => { const v = await ${value}; note('warn'); return v; })`),
    fc
      .tuple(tie('value'), tie('value'))
      .map(([a, b]) => `(async () => { const first = await ${a}; return [first, await ${b}]; })()`),
    fc
      .tuple(fc.integer({ min: 1, max: 3 }), tie('value'))
      .map(
        ([n, value]) =>
          `(async () => { const all = []; for (let i = 0; i < ${n}; i++) all.push(await ${value}); return all; })()`,
      ),
    fc
      .tuple(tie('value'), tie('value'))
      .map(([a, b]) => `(async () => { try { return await ${a}; } finally { await ${b}; note('debug'); } })()`),
  ),
})).value;

const blocking = fc.letrec<{ value: string; list: string }>((tie) => ({
  list: fc.array(tie('value'), { minLength: 1, maxLength: 4 }).map((all) => all.join(', ')),
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    plain,
    address.map((path) => `fetch(url + '${path}').status`),
    fc.tuple(address, ms).map(([path, n]) => `fetch(url + '${path}', { timeout: ${n + 1} }).body`),
    fc.constant(`fetch(url + '/echo', { method: 'POST' }, { random: Math.random() }).body.body`),
    ms.map((n) => `(sleep(${n}), Date.now())`),
    fc.constant(`runTask('echo', Math.random())`),
    errorClass.map((name) => `fail(new ${name}('on purpose ' + Math.random()))`),
    tie('list').map((all) => `[${all}]`),
    tie('value').map((value) => `caught(() => ${value})`),
    fc.tuple(label, tie('value')).map(([name, value]) => `step('${name}', () => { note('info'); return ${value}; })`),
    fc
      .tuple(label, tie('value'))
      .map(([name, value]) => `span('${name}', () => { const v = ${value}; note('warn'); return v; })`),
    fc
      .tuple(fc.integer({ min: 1, max: 3 }), tie('value'))
      .map(([n, value]) => `Array.from({ length: ${n} }, () => ${value})`),
  ),
})).value;

const NOTE = `function note(level) { console[level]('at', Date.now(), { random: Math.random() }); return level; }`;

/** The code of a task that takes `{url}`, the address of the loopback server. */
export const program: fc.Arbitrary<string> = fc.oneof(
  fc.array(promises, { minLength: 1, maxLength: 3 }).map(
    (values) => `${NOTE}
const caught = async (work) => { try { return await work(); } catch (error) { note('error'); return [error.name, error.message]; } };
async function main(input, context) {
  const { url } = input;
  const out = [];
${values.map((value) => `  out.push(await ${value});`).join('\n')}
  return [...out, Date.now(), Math.random()];
}`,
  ),
  fc.array(blocking, { minLength: 1, maxLength: 3 }).map(
    (values) => `${NOTE}
const fail = (error) => { throw error; };
const caught = (work) => { try { return work(); } catch (error) { note('error'); return [error.name, error.message]; } };
function main(input, context) {
  const { url } = input;
  const out = [];
${values.map((value) => `  out.push(${value});`).join('\n')}
  return [...out, Date.now(), Math.random()];
}`,
  ),
);
