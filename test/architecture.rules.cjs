/** Who may import whom, as dependency-cruiser reads it. Changes come with a decision in docs/decisions. */
'use strict';

const EXTERNAL = ['core', 'npm', 'npm-dev', 'npm-peer', 'npm-optional'];

const only = (name, from, allowed) => ({
  name,
  severity: 'error',
  from: { path: from },
  to: { pathNot: allowed, dependencyTypesNot: EXTERNAL },
});
const packages = (name, from, allowed) => ({
  name,
  severity: 'error',
  from: { path: from },
  to: { dependencyTypes: EXTERNAL, pathNot: allowed },
});
const NONE = ['^$'];

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    only('domain-knows-nothing-else', '^src/domain/', ['^src/domain/']),
    packages('domain-has-no-packages', '^src/domain/', NONE),
    only('ports-see-domain', '^src/ports/', ['^src/(domain|ports)/']),
    packages('ports-have-no-packages', '^src/ports/', NONE),
    only('commands-see-domain-and-ports', '^commands/', ['^commands/', '^src/(domain|ports)/']),
    packages('commands-have-zod', '^commands/', ['node_modules/zod/']),
    only('projections-see-domain-and-ports', '^projections/', ['^projections/', '^src/(domain|ports)/']),
    packages('projections-have-kysely', '^projections/', ['node_modules/kysely/']),
    only('queries-see-read-models', '^queries/', [
      '^queries/',
      '^projections/read-models[.]ts$',
      '^src/(domain|ports)/',
    ]),
    packages('queries-have-kysely-and-zod', '^queries/', ['node_modules/(kysely|zod)/']),
    only('reactors-see-the-core', '^src/reactors/', ['^src/(reactors|domain|ports)/', '^commands/', '^queries/']),
    packages('reactors-have-no-packages', '^src/reactors/', NONE),
    only('interfaces-see-operations', '^src/interfaces/', ['^src/(interfaces|domain|ports)/', '^(commands|queries)/']),
    packages('interfaces-have-fastify-and-zod', '^src/interfaces/(?!graphql/|mcp/)', [
      'node_modules/(fastify|@fastify/(websocket|cors|helmet)|ws|@types/ws|zod)/',
    ]),
    packages('the-graphql-interface-has-its-libraries-too', '^src/interfaces/graphql/', [
      'node_modules/(fastify|ws|@types/ws|zod|graphql|graphql-helix|graphql-ws)/',
    ]),
    packages('the-mcp-interface-has-its-libraries-too', '^src/interfaces/mcp/', [
      'node_modules/(fastify|zod|@modelcontextprotocol/(server|server-legacy|core))/',
      '^(node:)?(stream|timers/promises)$',
    ]),
    only('the-web-client-stands-alone', '^src/clients/', ['^src/clients/']),
    packages('the-web-client-has-no-packages', '^src/clients/', NONE),
    only('infra-sees-ports', '^infra/', ['^infra/', '^src/(ports|domain)/']),
    only('config-stands-alone', '^config/', ['^config/']),
    packages('config-has-zod-and-yaml', '^config/', ['node_modules/(zod|yaml)/', '^(node:)?(fs|path|os|url)']),
    {
      name: 'adapters-are-joined-in-the-roots-only',
      severity: 'error',
      from: {
        pathNot: ['^infra/', '^src/(app|main|fitting-stores|projector|projector-thread)[.]ts$', '^src/cli/', '^test/'],
      },
      to: { path: '^infra/' },
    },
    {
      name: 'configuration-is-read-at-the-entry-only',
      severity: 'error',
      from: { pathNot: ['^config/', '^src/main[.]ts$', '^src/cli/(mcp-|result-)?settings[.]ts$', '^test/'] },
      to: { path: '^config/' },
    },
    {
      name: 'the-command-line-is-an-entry',
      severity: 'error',
      from: { pathNot: ['^src/(cli/|main[.]ts$)', '^test/'] },
      to: { path: '^src/(cli/|main[.]ts$)' },
    },
    {
      name: 'sqlite-stays-in-its-adapters',
      severity: 'error',
      from: { pathNot: ['^infra/(event-store|read-store)/', '^test/'] },
      to: { path: '^(node:)?sqlite$' },
    },
    {
      name: 'postgresql-stays-in-its-adapters',
      severity: 'error',
      from: { pathNot: ['^infra/(postgres|event-store|read-store)/', '^test/'] },
      to: { path: '(^|node_modules/)pg(/|$)' },
    },
    {
      name: 'processes-stay-in-the-sandbox',
      severity: 'error',
      from: { pathNot: ['^infra/sandbox/', '^infra/deploy/', '^src/launcher[.]cjs$', '^test/'] },
      to: { path: '^(node:)?child_process$' },
    },
    {
      name: 'the-sandbox-child-is-sealed',
      severity: 'error',
      from: {
        path: '^infra/sandbox/((?:debug-)?child|debug-thread|serving|channel|context|entropy|execution|harden|leftovers|stacks|text-services|prelude.*)[.]ts$',
      },
      to: {
        pathNot: [
          '^infra/sandbox/(protocol|debug-thread|serving|channel|context|entropy|execution|harden|leftovers|stacks|text-services|prelude.*)[.]ts$',
        ],
        dependencyTypesNot: ['core', 'type-only'],
      },
    },
    { name: 'no-test-in-product', severity: 'error', from: { pathNot: '^test/' }, to: { path: '^test/' } },
    {
      name: 'only-declared-packages',
      severity: 'error',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'unknown'] },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(sample|dist)/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types', 'default'],
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.d.ts'],
    },
  },
};
