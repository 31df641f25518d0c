/** Where files are: the folder of the data, and what relative paths in a configuration mean. */
import { isAbsolute, posix, resolve, win32 } from 'node:path';
import type { Environment } from './interpolate.ts';

/** @returns `$RATCHET_HOME`, else the platform's folder for a user's data; null when there is no home folder at all. */
export function dataFolder(env: Environment, platform: string, cwd: string): string | null {
  if (env.RATCHET_HOME) return resolve(cwd, env.RATCHET_HOME);
  if (platform === 'win32') {
    const base = env.LOCALAPPDATA || (env.USERPROFILE && win32.join(env.USERPROFILE, 'AppData', 'Local'));
    return base ? win32.join(base, 'ratchet') : null;
  }
  if (platform === 'darwin') return env.HOME ? posix.join(env.HOME, 'Library', 'Application Support', 'ratchet') : null;
  // The XDG specification says that a relative path there is to be ignored.
  if (env.XDG_DATA_HOME && posix.isAbsolute(env.XDG_DATA_HOME)) return posix.join(env.XDG_DATA_HOME, 'ratchet');
  return env.HOME ? posix.join(env.HOME, '.local', 'share', 'ratchet') : null;
}

/** @returns a path, SQLite address or file:// address with its path made absolute from `folder`. */
export function locate(kind: 'path' | 'database' | 'source', value: string, folder: string): string {
  switch (kind) {
    case 'path':
      return value === '' ? value : resolve(folder, value);
    case 'source':
      return value === '' ? value : resolve(folder, filePath(value) ?? value);
    case 'database':
      return locateDatabase(value, folder);
  }
}

/** Other addresses are not paths and stay as they are. */
export function isAddress(value: string): boolean {
  return /^[a-z][a-z0-9+.-]+:/i.test(value) && filePath(value) === null;
}

function filePath(value: string): string | null {
  const match = /^file:(?:\/\/)?(.*)$/i.exec(value);
  if (match?.[1] === undefined) return null;
  const path = match[1].replace(/^localhost(?=\/)/, '').replace(/^\/(?=[A-Za-z]:)/, '');
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function locateDatabase(value: string, folder: string): string {
  const match = /^sqlite:(?:\/\/(?=.))?(.+)$/.exec(value);
  const path = match?.[1];
  if (path === undefined || path === ':memory:' || path.startsWith(':memory:?')) return value;
  // Other programs write options such as ?mode=rwc behind the name; they are no part of it.
  const name = path.replace(/\?.*$/, '');
  if (name === '') return value;
  return `sqlite:${isAbsolute(name) ? name : resolve(folder, name)}`;
}
