import { defineConfig } from 'vitest/config';

/** GraphQL compares classes: there must be one copy of them, the one that Node itself loads. */
export const resolve = {
  alias: [{ find: /^graphql$/, replacement: new URL('node_modules/graphql/index.js', import.meta.url).pathname }],
};

export default defineConfig({
  resolve,
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/long/**', 'test/chaos/**', 'test/eventstore/**', '**/node_modules/**'],
    globalSetup: ['test/support/postgres-setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    reporters: ['default', ['json', { outputFile: '.ratchet/vitest.json' }]],
  },
});
