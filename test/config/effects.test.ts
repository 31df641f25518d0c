import { describe, expect, it } from 'vitest';
import { schema } from '../../config/schema.ts';
import { documentation, type KnownKey, knownKeys, look } from '../../config/walk.ts';
import { missingTests, type Proof } from '../support/proofs.ts';
import { EFFECTS, type Effect } from './effects.ts';

/** Keys that hold a value themselves, as opposed to others below them. */
function holdsValue({ node }: KnownKey): boolean {
  switch (node.kind) {
    case 'value':
      return true;
    case 'list':
      return look(node.item).kind === 'value';
    case 'named':
      return look(node.value).kind === 'value';
    case 'section':
      return false;
  }
}

const KEYS = [...knownKeys(schema)].filter(holdsValue);

/** The entry of a key: its own, else that of the nearest group. */
function entryOf(path: string): string | undefined {
  const groups = [...path.matchAll(/\./g)].map(({ index }) => `${path.slice(0, index)}.*`).toReversed();
  return [path, ...groups].find((name) => Object.hasOwn(EFFECTS, name));
}

const effectOf = (path: string): Effect | undefined => EFFECTS[entryOf(path) ?? ''];

describe('each key of the configuration', () => {
  it('is in the table of effects', () => {
    expect(KEYS.length).toBeGreaterThan(140);
    expect(KEYS.map(({ path }) => path).filter((path) => entryOf(path) === undefined)).toEqual([]);
  });

  it('has no effect exactly where `config show` says so', () => {
    const inert = KEYS.filter((key) => documentation(key.schema)?.inert === true).map(({ path }) => path);
    expect(KEYS.map(({ path }) => path).filter((path) => effectOf(path) === 'none')).toEqual(inert);
  });
});

describe('the table of effects', () => {
  it('names no key that the schema does not have', () => {
    const used = new Set(KEYS.map(({ path }) => entryOf(path)));
    expect(Object.keys(EFFECTS).filter((name) => !used.has(name))).toEqual([]);
  });

  it('names tests that exist', () => {
    const claims = Object.entries(EFFECTS).flatMap(([path, effect]): [string, readonly Proof[]][] =>
      effect !== 'none' && !('owner' in effect) ? [[path, effect]] : [],
    );
    expect(claims.filter(([, proofs]) => proofs.length === 0)).toEqual([]);
    expect(missingTests(Object.fromEntries(claims))).toEqual([]);
  });
});
