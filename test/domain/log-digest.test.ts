import { createHash, hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  differingFields,
  EMPTY_DIGEST,
  LASTING_FIELDS,
  type LastingEvent,
  unambiguous,
  withEvent,
} from '../../src/domain/log-digest.ts';

const sha256 = (text: string) => hash('sha256', text, 'hex');

const EVENT: LastingEvent = {
  stream: 'task-1',
  version: 12,
  eventId: '8f1d2c3b-0000-8000-8000-000000000001',
  type: 'TaskVersionPublished',
  schemaVersion: 1,
  occurredAt: '2026-11-21T10:00:00.000Z',
  principal: 'key:ci',
  commandId: 'command-1',
  correlationId: 'command-1',
  causationId: null,
  traceparent: null,
  payload: '{"name":"Grüße"}',
};

describe('the digest of a log', () => {
  it('is what anybody computes by the documented encoding', () => {
    const encoded = [
      '0'.repeat(64),
      '6:task-1',
      '2:12',
      '36:8f1d2c3b-0000-8000-8000-000000000001',
      '20:TaskVersionPublished',
      '1:1',
      '24:2026-11-21T10:00:00.000Z',
      '6:key:ci',
      '9:command-1',
      '9:command-1',
      '-',
      '-',
      '18:{"name":"Grüße"}',
    ].join('');
    const expected = createHash('sha256').update(Buffer.from(encoded, 'utf8')).digest('hex');
    expect(withEvent(EMPTY_DIGEST, EVENT, sha256)).toEqual({ count: 1, hash: expected });
  });

  it('is another one when any lasting field, the order or the number of events is another', () => {
    const one = withEvent(EMPTY_DIGEST, EVENT, sha256);
    const changed = LASTING_FIELDS.map((field) => {
      const value = EVENT[field];
      const other = typeof value === 'number' ? value + 1 : value === null ? '' : `${value} `;
      return withEvent(EMPTY_DIGEST, { ...EVENT, [field]: other }, sha256).hash;
    });
    const second = { ...EVENT, version: 13 };
    const both = withEvent(one, second, sha256).hash;
    const swapped = withEvent(withEvent(EMPTY_DIGEST, second, sha256), EVENT, sha256).hash;
    const all = [EMPTY_DIGEST.hash, one.hash, ...changed, both, swapped];
    expect(new Set(all).size).toBe(all.length);
  });

  it('does not know positions and recordedAt', () => {
    const stored = { ...EVENT, position: '0000000000000001', recordedAt: '2026-11-21T10:00:00.001Z' };
    expect(withEvent(EMPTY_DIGEST, stored, sha256)).toEqual(withEvent(EMPTY_DIGEST, EVENT, sha256));
    expect(differingFields(stored, EVENT)).toEqual([]);
  });

  it('is made of a text that no two lists of values share', () => {
    const value = fc.oneof(
      fc.constantFrom(null, '', '-', '1:', '1:a', '-1:a', '0:'),
      fc.string({ unit: 'binary', maxLength: 3 }),
      fc.nat(),
    );
    const list = fc.array(value, { maxLength: 4 });
    const told = (values: readonly (string | number | null)[]) =>
      JSON.stringify(values.map((one) => (one === null ? null : String(one))));
    fc.assert(
      fc.property(list, list, (a, b) => {
        expect(unambiguous(a) === unambiguous(b)).toBe(told(a) === told(b));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('two events', () => {
  it('are told apart by the fields in which they differ', () => {
    expect(differingFields(EVENT, EVENT)).toEqual([]);
    expect(differingFields(EVENT, { ...EVENT, payload: '{"name": "Grüße"}', causationId: '' })).toEqual([
      'causationId',
      'payload',
    ]);
  });
});
