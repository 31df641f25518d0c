/** Certificate and key from files, and again when the files change, so that a renewed certificate needs no restart. */
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { RatchetError } from '../src/domain/errors.ts';

export interface TlsFiles {
  /** Certificate chain in PEM. */
  readonly cert: string;
  /** Private key in PEM. */
  readonly key: string;
}

export interface WatchedTls {
  /** What the files held when they were last good. */
  options(): SecureContextOptions;
  /** Called with each new content that can be used. */
  onChange(listener: (options: SecureContextOptions) => void): void;
  close(): void;
}

/** Renewals replace files in many ways, links among them; looking at them finds all. */
const LOOK_MS = 1_000;

/**
 * Reads both files. What can not be used after a change is told once and left alone: the old certificate goes on.
 * Fails with `configuration_invalid` when they can not be used now.
 */
export function watchedTls(files: TlsFiles, onTrouble: (error: unknown) => void): WatchedTls {
  let seen = stateOf(files);
  let current = readTls(files);
  const listeners: ((options: SecureContextOptions) => void)[] = [];
  const look = (): void => {
    const now = stateOf(files);
    if (now === seen) return;
    seen = now;
    try {
      current = readTls(files);
      for (const listener of listeners) listener(current);
    } catch (error) {
      onTrouble(error);
    }
  };
  const timer = setInterval(look, LOOK_MS).unref();
  return {
    options: () => current,
    onChange: (listener) => void listeners.push(listener),
    close: () => clearInterval(timer),
  };
}

function readTls({ cert, key }: TlsFiles): SecureContextOptions {
  const options: SecureContextOptions = { cert: read(cert), key: read(key), minVersion: 'TLSv1.2' };
  try {
    createSecureContext(options);
  } catch (cause) {
    throw new RatchetError('configuration_invalid', `server.tls: ${cert} and ${key} can not be used together`, {
      cause,
    });
  }
  return options;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
    throw new RatchetError('configuration_invalid', `server.tls: ${file} can not be read (${why})`, { cause });
  }
}

/** What changes whenever a file is written or replaced. */
function stateOf({ cert, key }: TlsFiles): string {
  return [cert, key]
    .map((file) => {
      const stat = statSync(file, { throwIfNoEntry: false });
      return stat === undefined ? '-' : `${stat.ino}:${stat.mtimeMs}:${stat.size}`;
    })
    .join(' ');
}
