/** `ratchet trace` and `ratchet profile`: where the time of a recorded execution went, on the terminal or into files. */
import { writeFileSync } from 'node:fs';
import type { z } from 'zod';
import { getTrace, readTrace, TRACE_FORMATS, traceInput } from '../../queries/telemetry.ts';
import type { AppSettings } from '../app.ts';
import { LOCAL_ADMIN } from '../domain/access.ts';
import { Document } from '../domain/document.ts';
import { formatMs } from '../domain/duration.ts';
import { PROFILE_FORMATS, PROFILE_INTERVAL, type ProfileFormat, type ProfileResult } from '../domain/profile.ts';
import { type Core, parse } from '../interfaces/operation.ts';
import { tracePage } from '../interfaces/trace-page.ts';
import { type ExitCode, UsageError } from './exit.ts';
import { withApp } from './inspect.ts';
import type { Output } from './output.ts';
import { traceText } from './trace-text.ts';

/** `text` is for people, `html` the page of the server. */
const TRACE_OUTPUTS = ['text', ...TRACE_FORMATS, 'html'] as const;

export interface TraceOptions {
  readonly format?: (typeof TRACE_OUTPUTS)[number] | undefined;
  readonly attempt?: number | undefined;
  readonly out?: string | undefined;
}

/** How long the command waits for the read models. */
const CATCH_UP_MS = 60_000;

/** Without a format: text on a terminal, JSON when piped. */
export async function trace(
  settings: AppSettings,
  executionId: string,
  { format, attempt, out }: TraceOptions,
  output: Output,
): Promise<ExitCode> {
  return withApp(settings, async ({ core, store, projector }) => {
    await projector.progress.reach(await store.head(), CATCH_UP_MS);
    const wanted = format ?? (output.isJson ? 'json' : 'text');
    const text = await traceIn(core, wanted, parse(traceInput, { execution_id: executionId, attempt }));
    deliver(text, out, { format: wanted }, output);
    return 0;
  });
}

async function traceIn(
  core: Core,
  format: (typeof TRACE_OUTPUTS)[number],
  asked: z.infer<typeof traceInput>,
): Promise<string> {
  if (format === 'text') return `${traceText(await readTrace(core.query, asked))}\n`;
  if (format === 'html') return (await tracePage(await readTrace(core.query, asked), false)).body;
  const told = await getTrace.read(core.query, parse(getTrace.input, { ...asked, format }));
  return told instanceof Document ? told.body : `${JSON.stringify(told)}\n`;
}

export interface ProfileOptions {
  /** By the extension of the file when left out, else `cpuprofile`. */
  readonly format?: ProfileFormat | undefined;
  readonly attempt?: number | undefined;
  readonly intervalUs?: number | undefined;
  readonly out?: string | undefined;
}

/** Profiles a recorded execution by replaying it. */
export async function profile(
  settings: AppSettings,
  executionId: string,
  { format, attempt, intervalUs = PROFILE_INTERVAL.standard, out }: ProfileOptions,
  output: Output,
): Promise<ExitCode> {
  const { least, most } = PROFILE_INTERVAL;
  if (!Number.isInteger(intervalUs) || intervalUs < least || intervalUs > most)
    throw new UsageError(`--interval-us takes ${least} to ${most} microseconds`);
  const wanted = format ?? (out === undefined ? 'cpuprofile' : profileFormatOf(out));
  return withApp(settings, async ({ core }) => {
    const request = { executionId, attempt: attempt ?? null, format: wanted, intervalUs };
    const result = await core.profiling.profile(request, LOCAL_ADMIN);
    deliver(textOf(result), out, summaryOf(result), output);
    return 0;
  });
}

/** Profiles an execution that has just ended, and writes the file. The name's extension says the form. */
export async function writeProfile(core: Core, executionId: string, file: string, output: Output): Promise<void> {
  const request = { executionId, attempt: null, format: profileFormatOf(file), intervalUs: PROFILE_INTERVAL.standard };
  const result = await core.profiling.profile(request, LOCAL_ADMIN);
  write(file, textOf(result));
  output.note(`profile of ${result.samples} samples in ${formatMs(result.durationMs)} written to ${file}`);
}

const EXTENSIONS: Readonly<Record<ProfileFormat, string>> = {
  cpuprofile: '.cpuprofile',
  speedscope: '.speedscope.json',
  folded: '.folded',
  svg: '.svg',
};

/** @returns the form that a file's name asks for. Fails as wrong use for other names. */
export function profileFormatOf(file: string): ProfileFormat {
  const format = PROFILE_FORMATS.find((candidate) => file.endsWith(EXTENSIONS[candidate]));
  if (format !== undefined) return format;
  throw new UsageError(`${file}: a profile's file ends in ${Object.values(EXTENSIONS).join(', ')}`);
}

function textOf({ profile: content }: ProfileResult): string {
  return typeof content === 'string' ? content : `${JSON.stringify(content)}\n`;
}

function summaryOf({ profile: _content, ...summary }: ProfileResult): object {
  return summary;
}

/** Into the file, and then what it is to stdout; without a file the text itself. */
function deliver(text: string, out: string | undefined, summary: object, output: Output): void {
  if (out === undefined) {
    process.stdout.write(text);
    return;
  }
  write(out, text);
  output.result({ file: out, ...summary }, () => `written to ${out}`);
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    if (!['ENOENT', 'ENOTDIR', 'EISDIR'].includes(code)) throw cause;
    throw new UsageError(
      `${file} can not be written: ${code === 'EISDIR' ? 'it is a folder' : 'there is no such folder'}`,
    );
  }
}
