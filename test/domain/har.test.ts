import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/domain/event.ts';
import { type HarStep, harOf } from '../../src/domain/har.ts';
import type { Outcome } from '../../src/domain/journal.ts';

const AT = Date.UTC(2026, 0, 2, 3, 4, 5, 6);

function step(path: string, startedAt: number, request: JsonObject, outcome: Outcome): HarStep {
  const entry = { path, kind: 'http', name: 'x', argsHash: '', request, outcome, turn: 2, clock: AT + 90 } as const;
  return { entry, startedAt };
}

function entries(...steps: readonly HarStep[]): unknown {
  return (harOf(steps)['log'] as JsonObject)['entries'];
}

describe('an HTTP archive', () => {
  it('holds calls in the order in which they were made, with what was sent and what came', () => {
    const answer = {
      status: 201,
      statusText: 'Created',
      headers: [['content-type', 'text/plain']],
      body: 'grün',
      bodyEncoding: 'utf8',
    };
    const posted = {
      method: 'POST',
      url: 'https://a.example/?q=1&q=2',
      headers: [['content-type', 'text/x']],
      body: 'é',
    };
    const got = { method: 'GET', url: 'https://a.example/first', headers: [] };
    const told = entries(
      step('2', AT + 20, posted, { ok: true, value: answer }),
      step('1', AT, got, { ok: true, value: { ...answer, body: 'AAEC', bodyEncoding: 'base64' } }),
    );
    expect(told).toMatchObject([
      {
        startedDateTime: '2026-01-02T03:04:05.006Z',
        time: 90,
        request: { method: 'GET', bodySize: 0, queryString: [] },
        response: { content: { size: 3, encoding: 'base64', text: 'AAEC' }, bodySize: 3 },
      },
      {
        time: 70,
        request: {
          postData: { mimeType: 'text/x', text: 'é' },
          bodySize: 2,
          queryString: [
            { name: 'q', value: '1' },
            { name: 'q', value: '2' },
          ],
        },
        response: { status: 201, statusText: 'Created', content: { size: 5, mimeType: 'text/plain', text: 'grün' } },
      },
    ]);
  });

  it('tells a call without an answer by status 0 and its error', () => {
    const error = { name: 'NetworkError', message: 'refused', stack: null, data: {}, cause: null };
    const told = entries(step('1', AT, { method: 'GET', url: 'https://a.example/' }, { ok: false, error }));
    expect(told).toMatchObject([{ response: { status: 0, _error: 'NetworkError: refused', bodySize: -1 } }]);
  });

  it('leaves out steps of other kinds', () => {
    const { entry, startedAt } = step('1', AT, { ms: 5 }, { ok: true, value: null });
    expect(entries({ entry: { ...entry, kind: 'sleep' }, startedAt })).toEqual([]);
  });
});
