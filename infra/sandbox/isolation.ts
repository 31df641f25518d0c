/** How a task's process is started: the strongest separation from the server that this system allows. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { IsolationLevel } from '../../src/ports/sandbox.ts';

/** A way to start processes, from strong to weak. */
export interface StartWay {
  readonly level: IsolationLevel;
  /** Command and arguments put before the rest; may be empty. */
  readonly wrapper: readonly string[];
}

/** The user `nobody`: owns nothing that is worth reading. */
const NOBODY = 65534;
/** A backstop only: deadlines are the caller's. Seconds of processor time in the life of a process. */
const CPU_SECONDS = 7200;
const DROP_USER = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
const DIE_WITH_SERVER = ['--no-new-privs', '--pdeathsig', 'KILL'];
/** Own user, network and process namespaces; the process keeps its user id, so it has no capabilities in them. */
const NAMESPACES = ['unshare', '--map-current-user', '-pnf', '--kill-child', '--'];

/** @returns ways to try in this order; the last one needs nothing and always works. */
export function startWays(root: boolean): readonly StartWay[] {
  if (process.platform !== 'linux') return [{ level: 'process', wrapper: [] }];
  const ways: StartWay[] = [];
  if (root) {
    ways.push({ level: 'namespaces', wrapper: ['setpriv', ...DROP_USER, ...DIE_WITH_SERVER, '--', ...NAMESPACES] });
    ways.push({ level: 'uid', wrapper: ['setpriv', ...DROP_USER, ...DIE_WITH_SERVER, '--'] });
  }
  ways.push({ level: 'namespaces', wrapper: ['setpriv', ...DIE_WITH_SERVER, '--', ...NAMESPACES] });
  ways.push({ level: 'process', wrapper: ['setpriv', ...DIE_WITH_SERVER, '--'] });
  ways.push({ level: 'process', wrapper: [] });
  return ways;
}

/** What the start command is made of. A way that the system refuses ends before it is ready. */
export interface StartOptions {
  readonly way: StartWay;
  /** Limit of the heap in MiB. */
  readonly heapMb: number;
  /** Limit of all writable memory in KiB, or null for none. */
  readonly dataKb: number | null;
  /** The file to run; only a test runs another than the child. */
  readonly entry: string;
  /** Arguments for that file. */
  readonly parts?: readonly string[];
  /** Gives the process a helper thread, an inspector, and a pair for what that one says. Default false. */
  readonly debugged?: boolean;
}

/** Of the heap, on top of the task's own: what a debugger holds of the task while it stands still. */
const DEBUGGER_HEAP_MB = 32;
const DEBUGGER_FLAGS = ['--allow-worker', '--allow-inspector', '--disable-sigusr1'];

/** @returns the path of the child: beside this module in the source, a bundle beside the main bundle when published. */
export function childEntry(): string {
  return entryOf('child');
}

/** @returns the path of the child that can be debugged; found as {@link childEntry}. */
export function debugChildEntry(): string {
  return entryOf('debug-child');
}

function entryOf(name: string): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const source = join(here, `${name}.ts`);
  return existsSync(source) ? source : join(here, `sandbox-${name}.js`);
}

/** @returns the program and its arguments. */
export function startCommand(options: StartOptions): readonly [string, readonly string[]] {
  const node = [process.execPath, ...nodeFlags(options), options.entry, ...(options.parts ?? [])];
  if (process.platform === 'win32') return [process.execPath, node.slice(1)];
  const limits = [`ulimit -c 0; ulimit -t ${CPU_SECONDS}`];
  if (options.dataKb !== null) limits.push(`ulimit -d ${options.dataKb}`);
  const words = [...options.way.wrapper, '/bin/sh', '-c', `${limits.join('; ')}; exec "$0" "$@"`, ...node];
  const [program = process.execPath, ...parts] = words;
  return [program, parts];
}

function nodeFlags(options: StartOptions): string[] {
  const directory = dirname(options.entry);
  const readable = options.entry.endsWith('.ts') ? `${directory}/*` : options.entry;
  return [
    '--permission',
    `--allow-fs-read=${readable}`,
    '--experimental-vm-modules',
    '--disallow-code-generation-from-strings',
    '--no-experimental-sqlite',
    '--unhandled-rejections=none',
    '--no-warnings',
    `--max-old-space-size=${options.heapMb + (options.debugged === true ? DEBUGGER_HEAP_MB : 0)}`,
    ...(options.debugged === true ? DEBUGGER_FLAGS : []),
  ];
}
