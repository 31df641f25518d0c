/** Writes configuration files into a folder of their own and loads them in an environment that holds nothing else. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { ConfigError } from '../../config/error.ts';
import { type LoadedConfig, type LoadOptions, loadConfig } from '../../config/load.ts';

export const HOME = '/home/someone';

/** @returns a folder with the files, removed after the test. */
export function folderWith(files: Readonly<Record<string, string>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-config-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

/** Loads `yaml` as `config.yaml` of an empty folder. */
export function load(
  yaml: string,
  options: Omit<LoadOptions, 'file'> = {},
): LoadedConfig & { readonly folder: string } {
  const folder = folderWith({ 'config.yaml': yaml });
  const env = { HOME, ...options.env };
  return {
    ...loadConfig({ platform: 'linux', cwd: folder, file: join(folder, 'config.yaml'), ...options, env }),
    folder,
  };
}

/** @returns the error that loading ends with; fails when it does not. */
export function refusal(yaml: string, options: Omit<LoadOptions, 'file'> = {}): ConfigError {
  try {
    load(yaml, options);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

/** @returns the messages with the folder's path taken away. */
export function messages(error: ConfigError): readonly string[] {
  return error.problems.map(({ message, path, line }) => `${line ?? '-'} ${path ?? '-'}: ${message}`);
}
