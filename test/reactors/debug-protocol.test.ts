import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { DEBUG_METHODS } from '../../src/reactors/debug-protocol.ts';

test('every method that a session takes stands in the document', () => {
  const document = readFileSync(new URL('../../docs/debugger.md', import.meta.url), 'utf8');
  const missing = DEBUG_METHODS.filter((method) => !document.includes(method.slice(method.indexOf('.') + 1)));
  expect(missing).toEqual([]);
  expect(DEBUG_METHODS.length).toBeGreaterThan(25);
});
