import { expect, it } from 'vitest';
import { conformance, TASK_SCENARIOS } from '../../conformance/run.ts';

/** What the suite counts; it also runs scenarios that it does not count. */
const SCORED = /^Total: (\d+) passed/m;

it('the official suite finds nothing that revisions 2025-11-25 and 2026-07-28 demand and our transports lack', async () => {
  const verdicts = await conformance([
    ['--requirements', '2025-11-25'],
    ['--requirements', '2026-07-28'],
  ]);
  for (const { passed, report } of verdicts) {
    const failed = report.split('\n').filter((line) => line.startsWith('✗'));
    expect(passed, failed.join('\n')).toBe(true);
    expect(Number(SCORED.exec(report)?.[1])).toBeGreaterThan(80);
  }
}, 180_000);

it('the official suite finds nothing wrong with executions as tasks', async () => {
  for (const { passed, report } of await conformance(TASK_SCENARIOS)) {
    const failed = report.split('\n').filter((line) => line.includes('FAILURE') || line.includes('Error:'));
    expect(passed, failed.join('\n')).toBe(true);
    expect(report).toMatch(/Passed: \d+\/\d+, 0 failed/);
  }
}, 240_000);
