/** `ratchet debug` at the prompt, led by what is typed into it. */
import { describe, expect, it } from 'vitest';
import { call, type Home, openHome, ratchet, startServerProcess } from '../support/server.ts';

const CODE = `function main({ rows }) {
  let sum = 0;
  for (const row of rows) {
    sum += row.price.amount;
  }
  return { sum };
}`;

/** Runs a task that fails on a server, and stops the server. */
async function failed(home: Home): Promise<string> {
  await using server = await startServerProcess(home);
  await call(server.url, 'POST', '/api/v1/tasks', { name: 'sums', code: CODE });
  const input = { rows: [{ price: { amount: 2 } }, { price: null }] };
  const { body } = await call(server.url, 'POST', '/api/v1/tasks/execute', { task_id: 'sums', input });
  expect(body['status']).toBe('failed');
  await server.stop();
  return String(body['execution_id']);
}

describe('ratchet debug', () => {
  it('stops, prints, steps, and says how it ended; and reports every stop at once', { timeout: 60_000 }, async () => {
    using home = openHome();
    const id = await failed(home);
    const flags = ['--config', 'config.yaml'];
    const typed = [
      'break 4 if sum > 0',
      'c',
      'p row',
      'p sum',
      'v',
      'w',
      'p row.nothing.here',
      'p sum = 9',
      'nonsense',
      'c',
      'q',
    ];
    const prompt = await ratchet(home, ['debug', id, ...flags], { input: `${typed.join('\n')}\n` });
    const told = prompt.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(prompt.code).toBe(0);
    expect(told[0]).toMatchObject({ file: 'sums/main.js', line: 2, function: 'main' });
    expect(told[1]).toMatchObject({ line: 4 });
    expect(told[2]).toMatchObject({ expression: 'row', value: { type: 'object' } });
    expect(told[3]).toMatchObject({ expression: 'sum', value: { value: 2 } });
    expect(told.filter(({ name }) => name === 'rows')).toHaveLength(1);
    expect(told.find(({ expression }) => expression === 'row.nothing.here')?.value.description).toContain('TypeError');
    expect(told.find(({ expression }) => expression === 'sum = 9')?.value.description).toContain('side-effect');
    expect(told.at(-1)).toMatchObject({ end: { result: 'threw' } });
    expect(prompt.stderr).toContain('over to the next line');

    const watch = ['--watch', 'sum', '--exceptions'];
    const report = await ratchet(home, ['debug', id, '--break', '4', '--report', ...watch, ...flags]);
    expect(report.json()).toMatchObject({
      result: 'threw',
      stops: 3,
      hits: [{ reason: 'breakpoint', line: 4 }, { line: 4 }, { reason: 'exception', line: 4 }],
    });
  });

  it('names what is wrong: an unknown execution, and a breakpoint that is no line', { timeout: 30_000 }, async () => {
    using home = openHome();
    const unknown = await ratchet(home, ['debug', 'nowhere']);
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('there is no execution nowhere')]);
    const wrong = await ratchet(home, ['debug', 'nowhere', '--break', 'here']);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('a breakpoint is a line')]);
  });
});
