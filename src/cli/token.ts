/** `ratchet token create`: a signed token for a caller of the server, from the configuration alone. */
import { openTokens } from '../../infra/tokens.ts';
import type { AppSettings } from '../app.ts';
import { PERMISSIONS, ROLE_PERMISSIONS, ROLES } from '../domain/access.ts';
import { isoTime } from '../domain/time.ts';
import { type ExitCode, UsageError } from './exit.ts';
import type { Output } from './output.ts';

export interface TokenOptions {
  readonly name: string;
  readonly role: string;
  /** Such as `90s`, `30m`, `24h`, `7d`; the configured time when left out. */
  readonly expiresIn?: string;
  readonly allowTasks?: readonly string[];
  readonly denyTasks?: readonly string[];
}

const WORDS: Readonly<Record<string, string>> = { write: 'operator', read: 'reader' };
const NAME = /^[\w.@-]{1,64}$/;
const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };
const MAX_SECONDS = 365 * 86_400;

/** Fails with `unsupported` where `auth.jwt` is not set. */
export async function createToken(
  { access }: Pick<AppSettings, 'access'>,
  options: TokenOptions,
  now: number,
  output: Output,
): Promise<ExitCode> {
  const role = ROLES.find((known) => known === (WORDS[options.role] ?? options.role));
  if (role === undefined) throw new UsageError(`--role: ${options.role} is none of ${ROLES.join(', ')}`);
  if (!NAME.test(options.name)) throw new UsageError('--name: 1 to 64 letters, digits, "_", ".", "@" and "-"');
  const permissions = PERMISSIONS.filter((permission) => ROLE_PERMISSIONS[role].has(permission));
  const { token, expiresAt } = await openTokens(access.tokens).issue({
    tokenId: crypto.randomUUID(),
    subject: options.name,
    permissions,
    tasks: { allowed: options.allowTasks ?? ['*'], denied: options.denyTasks ?? [] },
    issuedAt: now,
    expiresInSeconds: options.expiresIn === undefined ? null : secondsOf(options.expiresIn),
  });
  output.result({ token, name: options.name, role, expires_at: isoTime(expiresAt) }, () => token);
  return 0;
}

function secondsOf(text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,9})([smhd]?)$/.exec(text) ?? [];
  const seconds = Number(number) * (UNIT_SECONDS[unit === '' ? 's' : unit] ?? 0);
  if (number !== '' && seconds > 0 && seconds <= MAX_SECONDS) return seconds;
  throw new UsageError(`--expires-in: "${text}" is no time such as 90s, 30m, 24h or 7d, at most 365d`);
}
