/** Keys of where the server's own log lines go. */
import { z } from 'zod';
import { entries, maybe, named, required, section, setting, unset } from './fields.ts';
import { choice, duration, flag, level, path, size, whole } from './kinds.ts';

const sinkEntry = section('One place that log lines go to.', {
  type: required(choice(['console', 'file']), 'Kind of sink.'),
  level: unset(level, 'Least level written here; wins over the root level.'),
  format: unset(choice(['json', 'text']), 'Form of a line.', { fallbackNote: 'text on a console, json in a file' }),
  colored: setting(flag, true, 'Colours on a terminal.'),
  path: unset(path, 'File to append to.'),
  maxSize: setting(size, 104_857_600, 'Size at which a new file is begun.'),
  maxBackups: setting(whole(), 10, 'How many old files are kept.'),
  buffered: maybe(
    section('Collects lines before they are written; absent means each line is written at once.', {
      size: setting(whole(1), 1000, 'Lines collected at most.'),
      flushIntervalMs: setting(duration('s'), 5000, 'Longest time a line waits.'),
    }),
  ),
});

/** Where log lines go. Sizes in bytes, times in milliseconds. */
export type Sink = ConsoleSink | FileSink;
type Entry = z.output<typeof sinkEntry>;
interface ConsoleSink extends Pick<Entry, 'level' | 'colored'> {
  readonly type: 'console';
  readonly format: 'json' | 'text';
}
interface FileSink extends Pick<Entry, 'level' | 'maxSize' | 'maxBackups' | 'buffered'> {
  readonly type: 'file';
  readonly format: 'json' | 'text';
  readonly path: string;
}

const sink = sinkEntry.transform((entry, context): Sink => {
  const { level: least, format, colored, maxSize, maxBackups, buffered } = entry;
  if (entry.type === 'console') return { type: 'console', level: least, format: format ?? 'text', colored };
  if (entry.path === null) {
    context.addIssue({ code: 'custom', message: 'a file sink needs a path' });
    return z.NEVER;
  }
  return { type: 'file', level: least, format: format ?? 'json', path: entry.path, maxSize, maxBackups, buffered };
});

export const logging = section('Log lines of the server itself.', {
  level: setting(level, 'info', 'Least level written.'),
  targets: named(
    required(level, 'Least level of one part of the server, such as `ratchet_mcp`.'),
    'Levels of single parts of the server, by name.',
  ),
  sinks: entries(sink, 'Where lines go; one console when absent.'),
});
