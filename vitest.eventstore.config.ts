import { defineConfig } from 'vitest/config';
import { resolve } from './vitest.config.ts';

export default defineConfig({
  resolve,
  test: {
    include: ['test/eventstore/**/*.test.ts'],
    globalSetup: ['test/eventstore/setup.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 300_000,
    hookTimeout: 60_000,
  },
});
