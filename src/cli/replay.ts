/** `ratchet replay`: runs what is recorded again, as it was or with other code, and says what comes of it. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../../infra/folder.ts';
import type { App, AppSettings } from '../app.ts';
import { LOCAL_ADMIN } from '../domain/access.ts';
import { RatchetError } from '../domain/errors.ts';
import type { Json } from '../domain/event.ts';
import type { FailuresResult, PatchedRequest, PatchedResult } from '../domain/replay.ts';
import { toldFailures, toldPatched } from '../domain/told-replay.ts';
import { parse } from '../interfaces/operation.ts';
import { failuresOf, stubsInput } from '../interfaces/replay-operations.ts';
import { type ExitCode, UsageError } from './exit.ts';
import { tasksFrom } from './from-fs.ts';
import { withApp } from './inspect.ts';
import type { Output } from './output.ts';
import { readRecording, requestOf, restoreRecording } from './recording.ts';
import { toldFailuresText, toldPatchedText, toldReplayText } from './replay-text.ts';

export interface ReplayOptions {
  readonly attempt?: number | undefined;
  /** Folder of a recording; without it the database is read. */
  readonly recording?: string | undefined;
  /** Folder of a task that must be the recorded one, unless `patch` is given. */
  readonly fromFs?: string | undefined;
  readonly patch?: boolean | undefined;
  /** Folder of a task whose code stands in for the recorded one. */
  readonly patchFrom?: string | undefined;
  readonly version?: number | undefined;
  readonly inputJson?: string | undefined;
  /** File with a list of stubs. */
  readonly stubs?: string | undefined;
  readonly allowLive?: boolean | undefined;
  readonly changed?: 'reuse' | 'block' | undefined;
  readonly saveTest?: string | undefined;
  /** How many past failures like this one the code is tried on. */
  readonly failures?: number | undefined;
}

/** Names that are safe as the name of a file. */
const TEST_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Replays; answers 1 when the replay differs from the record, or a patched one does not succeed. */
export async function replay(
  settings: AppSettings,
  executionId: string | undefined,
  options: ReplayOptions,
  output: Output,
): Promise<ExitCode> {
  const recording = options.recording === undefined ? null : readRecording(options.recording);
  const id = executionId ?? recording?.executionId;
  if (id === undefined) throw new UsageError('name an execution, or give --recording');
  const folder = folderOf(options);
  const code = folder === null ? null : (await tasksFrom(folder)).main.code;
  const patch = patchOf(options, code);
  const file = testFile(options, folder);
  const place = recording === null ? settings : { ...settings, eventStoreUrl: 'memory:' };
  return withApp(place, async (app) => {
    if (recording !== null) {
      await restoreRecording(recording, app.store);
      await app.directory.reach(await app.store.head());
    }
    if (options.failures !== undefined) return overFailures(app, { id, patch, limit: options.failures }, output);
    const isPatched = isGiven(options) || (options.fromFs !== undefined && options.patch === true);
    if (!isPatched) {
      if (code !== null) await checkSame(app, id, code, options);
      return faithful(app, { id, attempt: options.attempt ?? null }, output);
    }
    const request = { ...patch, executionId: id, attempt: options.attempt ?? null, saveTest: options.saveTest ?? null };
    const result = await app.core.replays.patched(request, LOCAL_ADMIN);
    output.result(toldPatched(result), () => toldPatchedText(result));
    if (file !== null) writeTest(result, file, output);
    return result.verdict === 'succeeds' ? 0 : 1;
  });
}

function folderOf({ fromFs, patchFrom, patch }: ReplayOptions): string | null {
  if (fromFs !== undefined && patchFrom !== undefined) throw new UsageError('give --from-fs or --patch-from, not both');
  if (patch === true && fromFs === undefined) throw new UsageError('--patch is for --from-fs');
  return patchFrom ?? fromFs ?? null;
}

/** True when something stands in for what was recorded. */
function isGiven(options: ReplayOptions): boolean {
  const { patchFrom, version, inputJson, stubs, allowLive, changed, saveTest } = options;
  return [patchFrom, version, inputJson, stubs, allowLive, changed, saveTest].some((value) => value !== undefined);
}

type Patch = Pick<PatchedRequest, 'code' | 'version' | 'input' | 'stubs' | 'allowLive' | 'changed'>;

function patchOf(options: ReplayOptions, code: string | null): Patch {
  const { version, inputJson, stubs, allowLive = false, changed = 'block' } = options;
  if (version !== undefined && code !== null) throw new UsageError('give --version or code from a folder, not both');
  if (version !== undefined && !(Number.isInteger(version) && version > 0))
    throw new UsageError('--version takes a number');
  return {
    code,
    version: version ?? null,
    input: inputJson === undefined ? undefined : jsonOf(inputJson, 'the input'),
    stubs: stubs === undefined ? [] : parse(stubsInput, jsonOf(textOf(stubs), stubs)),
    allowLive,
    changed,
  };
}

function jsonOf(text: string, what: string): Json {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UsageError(`${what} is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

function textOf(file: string): string {
  if (!existsSync(file)) throw new UsageError(`there is no file ${file}`);
  return readFileSync(file, 'utf8');
}

/** Refused before anything is run: a test is not lost after a long replay. */
function testFile({ saveTest }: ReplayOptions, folder: string | null): string | null {
  if (saveTest === undefined) return null;
  if (folder === null) throw new UsageError('--save-test needs the folder of the task: --patch-from or --from-fs');
  if (!TEST_NAME.test(saveTest)) throw new UsageError('a test is named by letters, digits, ".", "_" and "-"');
  const file = join(folder, 'tests', `${saveTest}.json`);
  if (existsSync(file)) throw new UsageError(`${file} is there already: choose another name`);
  return file;
}

function writeTest({ test }: PatchedResult, file: string, output: Output): void {
  if (test === null) return output.note('no test was saved: the verdict is open');
  makeFolder(join(file, '..'));
  try {
    writeFileSync(file, `${JSON.stringify(test, null, 2)}\n`, { flag: 'wx' });
  } catch (cause) {
    const isThere = cause instanceof Error && 'code' in cause && cause.code === 'EEXIST';
    throw isThere ? new UsageError(`${file} is there already: choose another name`) : cause;
  }
  output.note(`saved a test to ${file}`);
}

/** A faithful replay of other code would only say at which step it goes another way. */
async function checkSame(app: App, executionId: string, code: string, options: ReplayOptions): Promise<void> {
  const recorded = await recordedCode(app, executionId);
  if (recorded === code) return;
  const { sha256 } = app.core.execute.runtime;
  throw new UsageError(
    `the code in ${options.fromFs ?? ''} (${sha256(code).slice(0, 12)}) is not the recorded one ` +
      `(${sha256(recorded).slice(0, 12)}): replay it patched with --patch`,
  );
}

async function recordedCode({ core, store, directory }: App, executionId: string): Promise<string> {
  const { task } = await requestOf(store, executionId);
  const version = directory.find(task.id)?.versions.find((candidate) => candidate.version === task.version);
  if (version !== undefined) return String(await core.execute.blobs.get(version.code));
  const details = { task: task.name, version: task.version, executionId };
  throw new RatchetError('code_gone', `the code of ${task.name} version ${task.version} is not in the store`, {
    details,
  });
}

async function faithful(
  { core }: App,
  { id, attempt }: { readonly id: string; readonly attempt: number | null },
  output: Output,
): Promise<ExitCode> {
  const result = await core.replays.faithful(id, attempt, LOCAL_ADMIN);
  output.result(result, () => toldReplayText(result));
  return result.identical ? 0 : 1;
}

async function overFailures(
  { core }: App,
  { id, patch, limit }: { readonly id: string; readonly patch: Patch; readonly limit: number },
  output: Output,
): Promise<ExitCode> {
  const { taskId, fingerprint } = await failuresOf(core, id);
  const { input: _input, ...rest } = patch;
  const result: FailuresResult = await core.replays.overFailures({ ...rest, taskId, fingerprint, limit }, LOCAL_ADMIN);
  output.result(toldFailures(result), () => toldFailuresText(result));
  return result.rows.length > 0 && result.counts.succeeds === result.rows.length ? 0 : 1;
}
