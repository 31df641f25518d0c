import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../config/load.ts';
import { configurationReference } from '../../config/reference.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const fixtures = `${root}test/config/fixtures/`;

const env = {
  HOME: '/home/someone',
  DATABASE_URL: 'postgresql://user:pass@db/ratchet',
  JWT_SECRET: 'a-secret-that-is-long-enough-for-tests',
  API_KEY_1: 'key-1',
  API_KEY_2: 'key-2',
  MCP_API_KEY: 'mcp-key',
  MCP_API_KEY_1: 'mcp-key-1',
  MCP_API_KEY_CLAUDE: 'claude-key',
  MCP_API_KEY_DEV: 'dev-key',
  RATCHET_ADMIN_KEY: 'admin-key',
  RATCHET_READER_KEY: 'reader-key',
};

const fixture = (name: string) => loadConfig({ file: fixtures + name, env, cwd: fixtures }).config;

describe('the samples of the documents', () => {
  const names = readdirSync(fixtures);

  it('are all here', () => {
    expect(names.filter((name) => name.startsWith('server-guide'))).toHaveLength(11);
    expect(names.filter((name) => name.startsWith('mcp-guide'))).toHaveLength(13);
    expect(names.filter((name) => name.startsWith('mcp-design'))).toHaveLength(1);
  });

  it.each(names)('%s loads unchanged', (name) => {
    expect(fixture(name).database.url).toBe(env.DATABASE_URL);
  });

  it('the server guide’s base file means what it says', () => {
    const { DATABASE_URL: _, ...rest } = env;
    const { config } = loadConfig({ file: `${fixtures}server-guide-026.yaml`, env: rest, cwd: fixtures });
    expect(config.database.url).toBe(`sqlite:${fixtures}ratchet.db`);
    expect(config.logging.sinks).toMatchObject([{ type: 'console' }, { type: 'file', path: `${fixtures}ratchet.log` }]);
    expect(config.server).toMatchObject({ host: '0.0.0.0', port: 8080, cors: { enabled: true, origins: ['*'] } });
    expect(config.rest.prefix).toBe('/api/v1');
    expect(config.rateLimiting.rest.requestsPerMinute).toEqual({ requests: 1000, windowMs: 60_000 });
    expect(config.rateLimiting.mcp.requestsPerMinute).toEqual({ requests: 100, windowMs: 60_000 });
    expect(config.mcp).toMatchObject({ transport: 'stdio', authType: 'none', maxConnections: 10 });
  });

  it('the production scenario takes its secrets from the environment', () => {
    const config = fixture('server-guide-115.yaml');
    expect(config.auth.jwt).toMatchObject({ secret: env.JWT_SECRET, expiresInMs: 86_400_000, algorithm: 'HS256' });
    expect(config.database).toMatchObject({ url: env.DATABASE_URL, poolSize: 20 });
    expect(config.logging).toMatchObject({
      level: 'warn',
      sinks: [{ type: 'file', level: 'info', maxSize: 104_857_600, maxBackups: 10 }],
    });
    expect(config.rateLimiting.security).toEqual({
      requestsPerMinute: { requests: 1000, windowMs: 60_000 },
      burstSize: 100,
    });
  });

  it('the MCP guide’s two ways of limits and keys arrive', () => {
    const config = fixture('mcp-guide-333.yaml');
    expect(config.mcp).toMatchObject({ transport: 'http', host: '0.0.0.0', port: 8090, authType: 'api_key' });
    expect(config.mcp.apiKeys[0]).toMatchObject({
      key: 'claude-key',
      keyFrom: 'MCP_API_KEY_CLAUDE',
      name: 'claude-desktop-prod',
      createdAt: '2025-01-01T00:00:00Z',
      active: true,
      allowedIps: [],
      permissions: {
        canExecuteTasks: true,
        canAccessSystemInfo: true,
        canManageTasks: true,
        canAdminister: false,
        allowedTaskPatterns: ['safe-*', 'read-only-*'],
        deniedTaskPatterns: ['admin-*', 'system-*'],
      },
    });
    expect(config.rateLimiting.mcp.batchExecutePerMinute).toEqual({ requests: 10, windowMs: 60_000 });
  });

  it('the design’s nested server section arrives in the same places', () => {
    const config = fixture('mcp-design-401.yaml');
    expect(config.mcp).toMatchObject({ transport: 'http', host: '0.0.0.0', port: 8090, authType: 'api_key' });
    expect(config.mcp.servers[0]?.name).toBe('claude');
    expect(config.mcp.apiKeys[0]?.rateLimits).toEqual({
      executionsPerMinute: { requests: 10, windowMs: 60_000 },
      logsPerMinute: { requests: 100, windowMs: 60_000 },
    });
    expect(config.execution).toMatchObject({ maxExecutionTimeMs: 300_000, queueSize: 100, maxConcurrentPerClient: 5 });
    expect(config.tasks.allowDangerous).toBe(false);
  });

  it('a key without its variable is left out, the rest stays', () => {
    const { MCP_API_KEY_DEV: _, ...rest } = env;
    const loaded = loadConfig({ file: `${fixtures}mcp-guide-333.yaml`, env: rest, cwd: fixtures });
    expect(loaded.config.mcp.apiKeys.map((key) => key.name)).toEqual(['claude-desktop-prod']);
    expect(loaded.warnings.join()).toMatch(/mcp-guide-333\.yaml:\d+ .*disabled because MCP_API_KEY_DEV is not set/);
  });
});

describe('our own samples', () => {
  it.each(['config.yaml', 'config.local.yaml', 'development.yaml', 'production.yaml'])(
    '%s loads without a warning',
    (name) => {
      expect(loadConfig({ file: `${root}config/${name}`, env, cwd: fixtures }).warnings).toEqual([]);
    },
  );

  it('production.yaml passes what production refuses', () => {
    const loaded = loadConfig({
      file: `${root}config/production.yaml`,
      env: { ...env, RATCHET_ENV: 'production' },
      cwd: fixtures,
    });
    expect(loaded.config.environment).toBe('production');
  });

  it('are found under configs/ too', () => {
    expect(readlinkSync(`${root}configs`)).toBe('config');
  });

  it('the reference page says what the schema says', () => {
    expect(readFileSync(`${root}docs/configuration.md`, 'utf8')).toBe(configurationReference());
  });
});
