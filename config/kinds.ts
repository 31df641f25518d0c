/** The kinds of value a key can have: how each is read from what a person wrote, and the words that say what was expected. */
import { z } from 'zod';

export interface Kind<T> {
  /** Completes "expected …". */
  readonly expects: string;
  /** @returns undefined when `raw` is not of this kind. */
  readonly parse: (raw: unknown) => T | undefined;
  readonly secret?: true;
  readonly unit?: 'milliseconds' | 'bytes';
  /** Which paths inside the value are relative to the file's folder. */
  readonly locates?: 'path' | 'database' | 'source';
}

/** So many in a window of time. */
export interface Rate {
  readonly requests: number;
  readonly windowMs: number;
}

export const text: Kind<string> = {
  expects: 'text',
  parse: (raw) => (typeof raw === 'string' && raw !== '' ? raw : typeof raw === 'number' ? String(raw) : undefined),
};
export const secret: Kind<string> = { ...text, secret: true };
export const path: Kind<string> = { ...text, expects: 'a path', locates: 'path' };
const REPOSITORY = /^(git\+https?:\/\/[^\s/?#]+\/\S+|https?:\/\/[^\s/?#]+\/[^\s?#]+\.git\/?)$/i;
const ARCHIVE = /^https?:\/\/[^\s/?#]+\/[^\s?#]+\.(zip|tar\.gz|tgz)(\?[^\s#]*)?$/i;
/** A registry source: `file://…` or a plain path, kept as an absolute path; or the address of a repository or an archive. */
export const source: Kind<string> = {
  expects:
    'a path, a file:// address, a repository (git+https://… or https://….git) or an archive (https://….zip, .tar.gz or .tgz)',
  parse: (raw) => {
    if (typeof raw !== 'string' || raw === '') return undefined;
    const isPath = !/^[a-z][a-z0-9+.-]+:/i.test(raw);
    return isPath || REPOSITORY.test(raw) || ARCHIVE.test(raw) ? raw : undefined;
  },
  locates: 'source',
};

const DATABASE = /^(sqlite:.|postgres(ql)?:\/\/.)/;
const EVENT_STORE = /^(sqlite:.|postgres(ql)?:\/\/.|(esdb|kurrentdb)(\+discover)?:\/\/.)/;
export const databaseUrl: Kind<string> = {
  expects: 'a database address: sqlite:FILE, sqlite::memory: or postgresql://…',
  parse: (raw) => (typeof raw === 'string' && DATABASE.test(raw) ? raw : undefined),
  locates: 'database',
};
export const eventStoreUrl: Kind<string> = {
  expects: 'an event store address: sqlite:FILE, postgresql://…, esdb://… or kurrentdb://…',
  parse: (raw) => (typeof raw === 'string' && EVENT_STORE.test(raw) ? raw : undefined),
  locates: 'database',
};
export const httpUrl: Kind<string> = matching('an address beginning with http:// or https://', /^https?:\/\/[^\s/]+/);
export const redisUrl: Kind<string> = matching('an address beginning with redis:// or rediss://', /^rediss?:\/\/./);

export const flag: Kind<boolean> = {
  expects: 'true or false',
  parse: (raw) => {
    if (typeof raw === 'boolean') return raw;
    const word = typeof raw === 'string' ? raw.toLowerCase() : raw;
    if (word === 'true' || word === '1' || word === 1) return true;
    return word === 'false' || word === '0' || word === 0 ? false : undefined;
  },
};

/** A whole number from `least` to `most`. */
export function whole(least = 0, most = Number.MAX_SAFE_INTEGER): Kind<number> {
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  return {
    expects: `a whole number ${range}`,
    parse: (raw) => {
      const value = numeric(raw);
      return value !== undefined && Number.isSafeInteger(value) && value >= least && value <= most ? value : undefined;
    },
  };
}

export const port: Kind<number> = whole(0, 65_535);

const DURATIONS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A length of time in milliseconds; a bare number counts in `bare`, so that documented numbers keep their meaning. */
export function duration(bare: 's' | 'ms'): Kind<number> {
  return {
    expects: `a duration such as ${bare === 's' ? '30 (seconds)' : '30000 (milliseconds)'}, "5s" or "24h"`,
    unit: 'milliseconds',
    parse: (raw) => measured(raw, DURATIONS, bare),
  };
}

/** A length of time that is not shorter than `least` milliseconds; otherwise as {@link duration}. */
export function longerThan(least: number, bare: 's' | 'ms'): Kind<number> {
  const { expects, unit, parse } = duration(bare);
  return {
    expects: `${expects}, of at least ${least / 1_000} s`,
    ...(unit && { unit }),
    parse: (raw) => {
      const ms = parse(raw);
      return ms !== undefined && ms >= least ? ms : undefined;
    },
  };
}

const SIZES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1024,
  kib: 1024,
  mb: 1024 ** 2,
  mib: 1024 ** 2,
  gb: 1024 ** 3,
  gib: 1024 ** 3,
};

/** An amount of bytes; `10MB` is 10 × 1024 × 1024. */
export const size: Kind<number> = {
  expects: 'a size such as 10485760 (bytes), "512KB", "10MB" or "1GB"',
  unit: 'bytes',
  parse: (raw) => measured(raw, SIZES, 'b'),
};

/** A bare number counts per minute. */
export const rate: Kind<Rate> = {
  expects: 'a number per minute, or a rate such as "10/minute"',
  parse: (raw) => {
    const bare = numeric(raw);
    if (bare !== undefined)
      return bare >= 1 && Number.isSafeInteger(bare) ? { requests: bare, windowMs: 60_000 } : undefined;
    const match =
      typeof raw === 'string' ? /^(\d{1,9})\s*(?:\/|per)\s*(s|sec|second|m|min|minute|h|hour|d|day)$/i.exec(raw) : null;
    const requests = Number(match?.[1] ?? 0);
    const windowMs = DURATIONS[(match?.[2] ?? '').slice(0, 1).toLowerCase()];
    return requests < 1 || windowMs === undefined ? undefined : { requests, windowMs };
  },
};

export const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'off'] as const;
export type Level = (typeof LEVELS)[number];
export const level: Kind<Level> = choice(LEVELS, { warning: 'warn' });

/** One of some words, in any case; `synonyms` name further words for them. */
export function choice<const T extends string>(
  words: readonly T[],
  synonyms: Readonly<Record<string, T>> = {},
): Kind<T> {
  return {
    expects: `one of ${words.join(', ')}`,
    parse: (raw) => {
      if (typeof raw !== 'string') return undefined;
      const word = raw.toLowerCase();
      return (
        words.find((known) => known.toLowerCase() === word) ??
        (Object.hasOwn(synonyms, word) ? synonyms[word] : undefined)
      );
    },
  };
}

const ADDRESS = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]);
export const network: Kind<string> = {
  expects: 'an address or network such as 10.0.0.0/8',
  parse: (raw) => (ADDRESS.safeParse(raw).success && typeof raw === 'string' ? raw : undefined),
};

export const moment: Kind<string> = {
  expects: 'a time such as 2025-01-01T00:00:00Z',
  parse: (raw) => (typeof raw === 'string' && !Number.isNaN(Date.parse(raw)) ? raw : undefined),
};

/** Text of a form. */
export function matching(expects: string, pattern: RegExp): Kind<string> {
  return { expects, parse: (raw) => (typeof raw === 'string' && pattern.test(raw) ? raw : undefined) };
}

/** @returns what a person wrote, for a message; passwords inside addresses are masked, long texts cut. */
export function tell(raw: unknown): string {
  if (raw === undefined) return 'nothing';
  if (typeof raw !== 'string') return typeof raw === 'object' ? 'a section or list' : `${typeof raw} ${String(raw)}`;
  const shown = maskUrl(raw);
  return raw === '' ? 'empty text' : `the text "${shown.length > 60 ? `${shown.slice(0, 57)}…` : shown}"`;
}

/** @returns the text with the password of each address in it, and the whole user part and query of a web address, replaced by `***`. */
export function maskUrl(value: string): string {
  return value
    .replace(/((?:git\+)?https?:\/\/)[^\s/]+@/gi, '$1***@')
    .replace(/(https?:\/\/[^\s?"]+)\?[^\s"]+/gi, '$1?***')
    .replace(/(\w+:\/\/[^\s:/@]*):[^\s"]*@/g, '$1:***@');
}

function numeric(raw: unknown): number | undefined {
  if (typeof raw === 'number') return Number.isFinite(raw) ? raw : undefined;
  return typeof raw === 'string' && /^-?\d{1,15}(\.\d{1,6})?$/.test(raw) ? Number(raw) : undefined;
}

function measured(raw: unknown, units: Readonly<Record<string, number>>, bare: string): number | undefined {
  const match = /^(\d{1,15}(?:\.\d{1,6})?)\s*([a-z]*)$/i.exec(
    typeof raw === 'number' ? String(raw) : typeof raw === 'string' ? raw : '',
  );
  if (match === null) return undefined;
  const factor = units[(match[2] === '' ? bare : (match[2] ?? '')).toLowerCase()];
  const value = factor === undefined ? undefined : Math.round(Number(match[1]) * factor);
  return value !== undefined && Number.isSafeInteger(value) ? value : undefined;
}
