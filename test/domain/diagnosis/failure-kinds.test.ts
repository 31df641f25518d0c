import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { classify } from '../../../src/domain/diagnosis/classify.ts';
import { FAILURE_KINDS } from '../../../src/domain/diagnosis/failure-kinds.ts';
import { ERRORS } from '../../../src/domain/errors.ts';
import { plainError } from '../../../src/reactors/perform-steps.ts';

describe('kinds of failure', () => {
  it('are documented exactly as the table says', () => {
    const rows = Object.entries(FAILURE_KINDS).map(
      ([kind, { title, retry, meaning }]) => `| \`${kind}\` | ${title} | ${retry} | ${meaning} |`,
    );
    const text = readFileSync(new URL('../../../docs/diagnosis.md', import.meta.url), 'utf8');
    const table = text.slice(text.indexOf('## Kinds'));
    expect(table.split('\n').filter((line) => line.startsWith('| `'))).toEqual(rows);
  });

  it.each([
    ['AuthenticationError', 'authentication_refused'],
    ['AuthorizationError', 'authorization_refused'],
    ['NetworkError', 'network_failed'],
    ['HttpError', 'http_refused'],
    ['ValidationError', 'validation_failed'],
    ['ConfigurationError', 'configuration_missing'],
    ['RateLimitError', 'rate_limited'],
    ['ServiceUnavailableError', 'service_unavailable'],
    ['TimeoutError', 'step_timed_out'],
    ['DataError', 'data_not_usable'],
  ])('%s is %s', (name, kind) => {
    expect(classify({ code: 'task_failed', error: plainError(name, 'words') }, null, false)).toBe(kind);
  });

  it('know every code that ends an execution by itself', () => {
    const ending = [
      'execution_timeout',
      'memory_limit_exceeded',
      'output_too_large',
      'log_limit_exceeded',
      'step_limit_exceeded',
      'output_schema_violation',
      'invalid_entry_point',
      'task_stalled',
      'sandbox_crashed',
      'sandbox_protocol',
      'replay_mismatch',
      'syntax_error',
      'invalid_task',
    ];
    expect(ending.filter((code) => !Object.hasOwn(ERRORS, code))).toEqual([]);
    const kinds = ending.map((code) => classify({ code, error: plainError('SandboxError', 'words') }, null, false));
    expect(kinds).not.toContain('own_error_class');
  });
});
