/** Kills a process at exact appends of one execution and checks that another one ends it as it would have ended. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { countCalls } from './crash-load.ts';
import { openHome } from './server.ts';

const PROGRAM = fileURLToPath(new URL('./dying-app.ts', import.meta.url));

export interface Death {
  /** The how manieth append to the execution's stream. */
  readonly at: number;
  readonly when: 'before' | 'after';
  readonly policy: 'fail' | 'resend';
}

interface Told {
  readonly status: string;
  readonly output: unknown;
  readonly error: { readonly data: { readonly code?: string } } | null;
  readonly attempt: number;
  readonly steps: readonly { readonly path: string; readonly status: string; readonly attempt: number }[];
  readonly identical: boolean;
  readonly appends: number;
}

/** @returns what an execution is like that nothing happens to, and how many appends it makes. */
export async function undisturbed(): Promise<Told> {
  await using counter = await countCalls();
  using home = openHome();
  return JSON.parse(await run(join(home.folder, 'log.db'), [counter.url, 'fail'], home.folder));
}

/** Lets one process die, another take over, and compares with `expected`. The log is a file, or at `logUrl`. */
export async function surviveDeath({ at, when, policy }: Death, expected: Told, logUrl?: string): Promise<void> {
  await using counter = await countCalls();
  using home = openHome();
  const file = logUrl ?? join(home.folder, 'log.db');
  const runOn = (...more: string[]) => run(file, [counter.url, policy, ...more], home.folder);
  expect(await runOn(String(at), when)).toBe('killed');
  const before = new Map([...counter.calls].map(([path, times]) => [path, times.length]));
  const told: Told = JSON.parse(await runOn());

  const repeated = [...counter.calls].filter(([, times]) => times.length > 1);
  const unknown = told.steps.filter((step) => step.status === 'unknown');
  expect(unknown.length).toBeLessThanOrEqual(1);
  expect(told.identical).toBe(true);
  if (told.status === 'failed') {
    expect({ policy, code: told.error?.data.code, unknown: unknown.length, repeated }).toEqual({
      policy: 'fail',
      code: 'unknown_outcome',
      unknown: 1,
      repeated: [],
    });
    return;
  }
  expect(told).toMatchObject({ status: 'completed', output: expected.output });
  // Only the call that was under way may have gone out twice, and only if its outcome was not stored.
  expect(repeated.length).toBeLessThanOrEqual(1);
  for (const [path, times] of repeated) {
    expect({ path, times: times.length, before: before.get(path) }).toEqual({ path, times: 2, before: 1 });
    const isSafe = path.startsWith('/get-');
    expect(isSafe || (policy === 'resend' && unknown.length === 1), path).toBe(true);
  }
}

/** @returns what the process printed, or `killed`. */
function run(log: string, more: readonly string[], dataFolder: string): Promise<string> {
  const env = { ...process.env, DATA_FOLDER: dataFolder };
  const child = spawn(process.execPath, [PROGRAM, log, ...more], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (signal === 'SIGKILL') resolve('killed');
      else if (code === 0) resolve(printed);
      else reject(new Error(`it ended with ${code ?? signal}: ${errors}`));
    });
  });
}
