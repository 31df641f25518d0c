import { describe, expect, it } from 'vitest';
import { credentials } from '../../infra/credentials.ts';

describe('an address', () => {
  it.each([
    ['10.1.2.3', ['10.0.0.0/8'], true],
    ['11.1.2.3', ['10.0.0.0/8'], false],
    ['::ffff:10.1.2.3', ['10.0.0.0/8'], true],
    ['10.1.2.3', ['10.1.2.3'], true],
    ['10.1.2.3', ['10.1.2.4', '10.1.2.3'], true],
    ['2001:db8::1', ['2001:db8::/32'], true],
    ['2001:db9::1', ['2001:db8::/32'], false],
    ['2001:db8:0:0::1', ['2001:db8::1'], true],
    ['10.1.2.3', ['::/0'], false],
    ['::1', ['0.0.0.0/0'], false],
    ['not an address', ['0.0.0.0/0', '::/0'], false],
    ['10.1.2.3', ['nonsense', 'nonsense/8'], false],
    ['10.1.2.3', [], false],
  ])('%s within %j: %s', (address, networks, isWithin) => {
    expect(credentials.isWithin(address, networks)).toBe(isWithin);
  });
});

it('texts are the same, or not', () => {
  expect(credentials.isSame('abc', 'abc')).toBe(true);
  expect(credentials.isSame('abc', 'abd')).toBe(false);
  expect(credentials.isSame('abc', 'abcd')).toBe(false);
});
