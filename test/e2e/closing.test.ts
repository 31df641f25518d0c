import type { FastifyInstance } from 'fastify';
import { expect, it } from 'vitest';
import { openApp } from '../../src/app.ts';
import { TEST_SETTINGS } from '../support/app.ts';

it('closing frees everything even when a part of it fails, and tells the failure', async () => {
  const app = await openApp({ ...TEST_SETTINGS, runs: false });
  app.attach({ close: async () => Promise.reject(new Error('will not close')) } as unknown as FastifyInstance);
  await expect(app.close(0)).rejects.toThrow('will not close');
  await expect(app.store.head()).rejects.toMatchObject({ code: 'store_unavailable' });
});
