/** Rules that look at several keys together: what production refuses, and what is worth a warning anywhere. */
import type { ConfigProblem } from './error.ts';
import type { Config } from './schema.ts';
import { type Origin, problemAt } from './tree.ts';

/** Keys and secrets that stand in public documents, so that everybody knows them. */
const PUBLISHED = new Set([
  'dev-key-12345',
  'your-api-key-here',
  'your-api-key',
  'your-secret-api-key-here',
  'mcp-specific-key',
  'your-jwt-secret-key',
  'your-api-key-1',
  'your-api-key-2',
  'prod-key-1',
  'prod-key-2',
  'prod-api-key',
]);

const SECRET_LENGTH = 32;

export interface Verdict {
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly string[];
}

/** In `production` an insecure setting is a problem; elsewhere it is a warning where it can be reached from outside. */
export function judge(config: Config, origins: ReadonlyMap<string, Origin>): Verdict {
  const problems: ConfigProblem[] = [];
  const warnings: string[] = [];
  const production = config.environment === 'production';
  const object = (path: string, message: string, always = true): void => {
    const origin = origins.get(path) ?? origins.get(path.replace(/\[\d+\].*$/, '')) ?? { kind: 'default' };
    const at = problemAt({ origin, folder: '', written: path });
    if (production) problems.push({ message: `${message} (environment is production)`, ...at });
    else if (always) warnings.push(`${at.file === undefined ? '' : `${at.file}:${at.line} `}${at.path}: ${message}`);
  };
  judgeOpenAccess(config, object);
  judgePublished(config, object);
  judgeCors(config, object);
  judgeWebhooks(config, (path, message) => {
    const origin = origins.get(path) ?? origins.get(path.replace(/\.\w+$/, '.secret')) ?? { kind: 'default' };
    problems.push({ message, ...problemAt({ origin, folder: '', written: path }) });
  });
  for (const path of ['auth.jwt', 'mcp.jwt'] as const) {
    const token = path === 'auth.jwt' ? config.auth.jwt : config.mcp.jwt;
    if (token !== null && !PUBLISHED.has(token.secret) && token.secret.length < SECRET_LENGTH) {
      warnings.push(`${path}.secret: shorter than ${SECRET_LENGTH} characters; take 32 random ones or more`);
    }
  }
  return { problems, warnings };
}

type Object = (path: string, message: string, always?: boolean) => void;

function judgeOpenAccess({ auth, mcp, server }: Config, object: Object): void {
  const advice = 'lets everybody in; use api_key, jwt or oauth2';
  if (auth.type === 'none') object('auth.type', `auth type none ${advice}`, !isLoopback(server.host));
  if (mcp.authType === 'none') {
    object('mcp.auth_type', `auth type none ${advice}`, mcp.transport === 'http' && !isLoopback(mcp.host));
  }
}

function judgePublished({ auth, mcp }: Config, object: Object): void {
  for (const [section, group] of [
    ['auth', auth],
    ['mcp', mcp],
  ] as const) {
    group.apiKeys.forEach(({ key }, index) => {
      if (PUBLISHED.has(key))
        object(`${section}.api_keys[${index}].key`, 'this is a default key from public documents; make your own');
    });
    if (group.jwt !== null && PUBLISHED.has(group.jwt.secret)) {
      object(`${section}.jwt.secret`, 'this is a default secret from public documents; make your own');
    }
  }
}

/** A delivery either starts a task or syncs a source; which source is there is known here. */
function judgeWebhooks({ webhooks, registry }: Config, refuse: (path: string, message: string) => void): void {
  const known = registry.sources.map(({ name }) => name);
  for (const [name, { task, source }] of Object.entries(webhooks)) {
    const path = `webhooks.${name}`;
    if (task === null && source === null) {
      refuse(`${path}.task`, 'neither task nor source is set, so a delivery would do nothing; set one of them');
    } else if (task !== null && source !== null) {
      refuse(
        `${path}.source`,
        'task and source are both set; set one of them, and make a second webhook for the other',
      );
    } else if (source !== null && !known.includes(source)) {
      refuse(`${path}.source`, `there is no source ${source}; known are ${known.join(', ') || 'none'}`);
    }
  }
}

function judgeCors({ server, rest, mcp }: Config, object: Object): void {
  const places = [
    ['server.cors', server.cors, server.host],
    ['rest.cors', rest.cors, server.host],
    ['mcp.cors', mcp.cors, mcp.host],
  ] as const;
  for (const [path, cors, host] of places) {
    if (cors?.enabled !== true || !cors.credentials || !cors.origins.includes('*') || isLoopback(host)) continue;
    object(
      `${path}.origins`,
      'the origin "*" together with credentials lets any web page act for its visitor; name the origins',
    );
  }
}

/** @returns whether only this machine can reach the address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
