/** Analyses and comparisons as people read them on a terminal. */
import { expect, test } from 'vitest';
import { compareRunsText } from '../../../src/cli/comparison-text.ts';
import { toldAnalysis } from '../../../src/cli/diagnose.ts';
import type { Analysis } from '../../../src/domain/diagnosis/analysis.ts';
import type { ComparisonResult } from '../../../src/domain/diagnosis/compare-runs.ts';
import { openTestApp } from '../../support/app.ts';

const CODE = `function main({ user, wait }) {
  sleep(wait);
  return user.name.length;
}`;

test('an analysis shows line, variables, advice and proof; a comparison both sides', async () => {
  await using app = await openTestApp();
  await app.task('tells', CODE);
  const good = String((await app.run('tells', { user: { name: 'Ada' }, wait: 1 }))['execution_id']);
  const bad = String((await app.run('tells', { user: { nome: 'Ada' }, wait: 2 }))['execution_id']);
  const analysis = (await app.call('analyze_execution_error', { execution_id: bad })) as unknown as Analysis;
  const text = toldAnalysis(analysis);
  for (const part of [
    'Nothing where a value was expected (null_access): tells version 1\nuser.name is undefined, and the code needs its length: the input has no /user/name, only nome (tells/main.js:3 in main)',
    '     1 | function main({ user, wait }) {\n     2 |   sleep(wait);\n>    3 |   return user.name.length;\n     4 | }',
    'variables:\n  user = {nome: "Ada"}\n  wait = 2',
    `first difference from the last success:\n  its input lacks /user/name, which the last success had (${good})`,
    'what to do:\n  Did you mean nome?\n',
    'retry helps: no (the same code on the same data fails in the same way)',
    `replay_execution {"execution_id":"${bad}"}`,
    'proven by:\n  version 1 of tells was asked for with this input [',
  ])
    expect(text).toContain(part);
  const compared = await app.call('compare_executions', { execution_id: good, other_id: bad });
  expect(compareRunsText(compared as unknown as ComparisonResult)).toContain(
    [
      'first difference: the input differs at /user/name: "Ada" in a, absent in b',
      '',
      'input:',
      '  /user/name: "Ada" → absent',
      '  /user/nome: absent → "Ada"',
      '  /wait: 1 → 2',
      '',
      'steps:',
      '~ 1  sleep 1 ms  answered  answered  changed request',
    ].join('\n'),
  );
});
