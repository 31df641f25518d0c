/** Takes connection strings of EventStoreDB and KurrentDB apart, so that the client never holds one with a password in it. */
import { hash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { RatchetError } from '../../src/domain/errors.ts';

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export type NodePreference = 'leader' | 'follower' | 'random' | 'read_only_replica';

export interface EventStoreDbSettings {
  readonly hosts: readonly Endpoint[];
  /** Whether the first host is a name that all nodes of a cluster answer to. */
  readonly discover: boolean;
  readonly user: { readonly username: string; readonly password: string } | null;
  readonly tls: boolean;
  readonly rootCertificate: Buffer | null;
  readonly userCertificate: { readonly certificate: Buffer; readonly key: Buffer } | null;
  /** Begins the names of all streams of this log on the server; several logs fit one server. */
  readonly streamPrefix: string;
  readonly nodePreference: NodePreference;
  readonly maxDiscoverAttempts: number;
  readonly discoveryIntervalMs: number;
  readonly gossipTimeoutSeconds: number;
  readonly keepAliveIntervalMs: number;
  readonly keepAliveTimeoutMs: number;
  /** How long one try of an append may take. */
  readonly deadlineMs: number;
  readonly connectionName: string | null;
}

const URL_FORM = /^(esdb|kurrentdb)(\+discover)?:\/\/(?:([^@/?]*)@)?([^@/?]+)\/?(?:\?(.*))?$/u;
const DEFAULT_PORT = 2113;
const PREFERENCES: readonly NodePreference[] = ['leader', 'follower', 'random', 'read_only_replica'];
/** In lower case without dashes and underscores, as servers and other clients read them. */
const OPTIONS = [
  'tls',
  'tlsverifycert',
  'tlscafile',
  'usercertfile',
  'userkeyfile',
  'streamprefix',
  'nodepreference',
  'maxdiscoverattempts',
  'discoveryinterval',
  'gossiptimeout',
  'keepaliveinterval',
  'keepalivetimeout',
  'defaultdeadline',
  'connectionname',
  'throwonappendfailure',
];

/**
 * Takes `esdb://`, `esdb+discover://`, `kurrentdb://` or `kurrentdb+discover://` apart and reads the files it names.
 * Fails with `configuration_invalid`; no error holds the user or the password.
 */
export function parseEventStoreDbUrl(url: string): EventStoreDbSettings {
  const [, , discover, user, hosts = '', query = ''] = URL_FORM.exec(url.trim()) ?? [];
  if (hosts === '') throw invalid('is not of the form esdb://user:password@host:2113?tls=true');
  const options = optionsOf(query);
  const tls = flag(options, 'tls', true);
  if (!flag(options, 'tlsverifycert', true)) {
    throw invalid('has tlsVerifyCert=false, which this client can not do: name the authority with tlsCAFile=FILE');
  }
  if (!flag(options, 'throwonappendfailure', true)) throw invalid('has throwOnAppendFailure=false: leave it out');
  const preference = options.get('nodepreference')?.toLowerCase().replaceAll('-', '_') ?? 'leader';
  const nodePreference = PREFERENCES.find((known) => known.replaceAll('_', '') === preference.replaceAll('_', ''));
  if (nodePreference === undefined) throw invalid(`has a nodePreference that is none of ${PREFERENCES.join(', ')}`);
  const caFile = options.get('tlscafile');
  return {
    hosts: hosts.split(',').map(endpointOf),
    discover: discover !== undefined,
    user: userOf(user),
    tls,
    rootCertificate: caFile === undefined ? null : fileOf('tlsCAFile', caFile),
    userCertificate: userCertificateOf(options),
    streamPrefix: options.get('streamprefix') ?? '',
    nodePreference,
    maxDiscoverAttempts: whole(options, 'maxdiscoverattempts', 3, 1),
    discoveryIntervalMs: whole(options, 'discoveryinterval', 100, 0),
    gossipTimeoutSeconds: whole(options, 'gossiptimeout', 5, 1),
    keepAliveIntervalMs: whole(options, 'keepaliveinterval', 10_000, -1),
    keepAliveTimeoutMs: whole(options, 'keepalivetimeout', 10_000, -1),
    deadlineMs: whole(options, 'defaultdeadline', 5_000, 1),
    connectionName: options.get('connectionname') ?? null,
  };
}

/** @returns a name for the log at a connection string, the same for whatever user and options. Fails as {@link parseEventStoreDbUrl}. */
export function eventStoreDbLogName(url: string): string {
  const { hosts, streamPrefix } = parseEventStoreDbUrl(url);
  const names = hosts.map(({ address, port }) => `${address.toLowerCase()}:${port}`).sort();
  return `eventstoredb-${hash('sha256', JSON.stringify([names, streamPrefix])).slice(0, 16)}`;
}

/** @returns whether a URL is one of these. */
export function isEventStoreDbUrl(url: string): boolean {
  return /^(esdb|kurrentdb)(\+discover)?:/u.test(url);
}

function optionsOf(query: string): ReadonlyMap<string, string> {
  const options = new Map<string, string>();
  for (const part of query.split(/[&?]/u).filter((text) => text !== '')) {
    const [name = '', ...rest] = part.split('=');
    const known = name.toLowerCase().replaceAll(/[_-]/gu, '');
    if (!OPTIONS.includes(known)) throw invalid(`has the unknown option ${name}`);
    options.set(known, decoded(rest.join('=')));
  }
  return options;
}

function userOf(text: string | undefined): EventStoreDbSettings['user'] {
  if (text === undefined || text === '') return null;
  const colon = text.indexOf(':');
  if (colon < 1) throw invalid('names a user without a password: write user:password@host');
  return { username: decoded(text.slice(0, colon)), password: decoded(text.slice(colon + 1)) };
}

function endpointOf(host: string): Endpoint {
  const [, address, port = String(DEFAULT_PORT)] = /^(\[[^\]]+\]|[^:[\]]+)(?::(\d{1,5}))?$/u.exec(host.trim()) ?? [];
  if (address === undefined || Number(port) < 1 || Number(port) > 65_535) {
    throw invalid('names a host that is not of the form name:port');
  }
  return { address, port: Number(port) };
}

function userCertificateOf(options: ReadonlyMap<string, string>): EventStoreDbSettings['userCertificate'] {
  const certificate = options.get('usercertfile');
  const key = options.get('userkeyfile');
  if (certificate === undefined && key === undefined) return null;
  if (certificate === undefined || key === undefined)
    throw invalid('needs both userCertFile and userKeyFile, or neither');
  return { certificate: fileOf('userCertFile', certificate), key: fileOf('userKeyFile', key) };
}

function fileOf(option: string, path: string): Buffer {
  if (!existsSync(path)) throw invalid(`names a ${option} that is not there: ${path}`);
  return readFileSync(path);
}

function flag(options: ReadonlyMap<string, string>, name: string, fallback: boolean): boolean {
  const value = options.get(name);
  if (value === undefined) return fallback;
  if (value === 'true' || value === 'false') return value === 'true';
  throw invalid(`has an option ${name} that is neither true nor false`);
}

function whole(options: ReadonlyMap<string, string>, name: string, fallback: number, least: number): number {
  const value = options.get(name);
  if (value === undefined) return fallback;
  const number = Number(value);
  if (Number.isSafeInteger(number) && number >= least) return number;
  throw invalid(`has an option ${name} that is no whole number from ${least}`);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid('has a % that is not followed by two hex digits: write a percent sign as %25');
  }
}

function invalid(what: string): RatchetError {
  return new RatchetError('configuration_invalid', `event_store.url ${what}`);
}
