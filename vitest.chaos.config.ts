import { defineConfig } from 'vitest/config';
import { resolve } from './vitest.config.ts';

export default defineConfig({
  resolve,
  test: { include: ['test/chaos/**/*.test.ts'], pool: 'forks', maxWorkers: 1, testTimeout: 1_800_000 },
});
