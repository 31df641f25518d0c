/** The server's own log: one logger, and for each place that lines go to, which of them it takes and in what form. */
import { type Bindings, type ChildLoggerOptions, type Logger, type LoggerOptions, pino, symbols } from 'pino';
import { LogFile, type LogFileOptions } from './log-file.ts';
import { describeError, textOf, withoutSecrets } from './log-line.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'off';

export interface ConsoleSink {
  readonly type: 'console';
  /** Least level written here; wins over the root level. Null follows it. */
  readonly level: LogLevel | null;
  readonly format: 'json' | 'text';
  /** Colours, where the console is a terminal that wants them. */
  readonly colored: boolean;
}

export interface FileSink extends Pick<LogFileOptions, 'path' | 'maxSize' | 'maxBackups' | 'buffered'> {
  readonly type: 'file';
  readonly level: LogLevel | null;
  readonly format: 'json' | 'text';
}

export interface LogSettings {
  /** Least level written where nothing else is said. */
  readonly level: LogLevel;
  /** Least levels of parts of the server: the longest name that a logger's `target` begins with counts. */
  readonly targets: Readonly<Record<string, LogLevel>>;
  /** None means one console. */
  readonly sinks: readonly (ConsoleSink | FileSink)[];
}

export interface Logging {
  readonly logger: Logger;
  /** Writes what is still collected and closes the files. Lines logged later are lost. */
  close(): Promise<void>;
}

/** Lines of a logger that names no target are the server's own. */
const ROOT_TARGET = 'ratchet';
const OFF = Number.POSITIVE_INFINITY;
const CONSOLE: ConsoleSink = { type: 'console', level: null, format: 'text', colored: true };

interface OpenSink {
  /** Least level taken; null: that of the logger. */
  readonly least: number | null;
  readonly write: (line: string) => void;
  readonly close: () => void;
}

/**
 * Opens the log.
 *
 * @param options `stdout: false` sends consoles to stderr, for commands whose stdout carries something else
 * @returns the root logger; its children with a `target` follow the level set for that target.
 * Fails with `configuration_invalid` for a file that can not be opened.
 */
export function openLogging(settings: LogSettings, options: { readonly stdout: boolean }): Logging {
  const sinks = openSinks(settings.sinks.length === 0 ? [CONSOLE] : settings.sinks, options.stdout);
  const levelOf = targetLevels(settings.targets);
  const root = levelOf(ROOT_TARGET) ?? settings.level;
  const least = Math.min(...sinks.map((sink) => sink.least ?? valueOf(root)));
  const limits = new WeakMap<object, number>();
  const destination = {
    [symbols.needsMetadataGsym]: true as const,
    lastLevel: 0,
    lastTime: '',
    lastMsg: '',
    lastObj: {},
    lastLogger: pino({ level: 'silent' }),
    write(line: string): void {
      const limit = limits.get(this.lastLogger);
      for (const sink of sinks) {
        const from = sink.least === null ? (limit ?? valueOf(root)) : Math.max(sink.least, limit ?? 0);
        if (this.lastLevel >= from) sink.write(line);
      }
    },
  };
  const logger = pino({ ...FORM, level: nameOf(least) }, destination);
  followTargets(logger, levelOf, limits);
  return {
    logger,
    close: async () => {
      for (const sink of sinks) sink.close();
    },
  };
}

/** How each line is written, before any sink sees it. */
const FORM: LoggerOptions = {
  base: null,
  messageKey: 'message',
  formatters: { level: (label) => ({ level: label.toUpperCase() }) },
  timestamp: () => `,"timestamp":"${new Date().toISOString()}"`,
  serializers: { err: (error: unknown) => describeError(error), error: (error: unknown) => describeError(error) },
  hooks: { streamWrite: withoutSecrets },
};

function targetLevels(targets: Readonly<Record<string, LogLevel>>): (target: string) => LogLevel | null {
  const longestFirst = Object.entries(targets).sort(([a], [b]) => b.length - a.length);
  return (target) => longestFirst.find(([prefix]) => target.startsWith(prefix))?.[1] ?? null;
}

/** Gives children with a `target`, and their children, the level of that target. */
function followTargets(
  logger: Logger,
  levelOf: (target: string) => LogLevel | null,
  limits: WeakMap<object, number>,
): void {
  const makeChild = logger.child<never>;
  // Children have their parent as prototype, so they make theirs in the same way.
  const child = function (this: Logger, bindings: Bindings, options?: ChildLoggerOptions): Logger {
    const level = typeof bindings['target'] === 'string' ? levelOf(bindings['target']) : null;
    const made = makeChild.call(
      this,
      bindings,
      level === null ? options : { ...options, level: nameOf(valueOf(level)) },
    );
    const limit = level === null ? limits.get(this) : valueOf(level);
    if (limit !== undefined) limits.set(made, limit);
    return made;
  };
  Object.assign(logger, { child });
}

/** Opens all of them, or none. */
function openSinks(settings: readonly (ConsoleSink | FileSink)[], toStdout: boolean): OpenSink[] {
  const sinks: OpenSink[] = [];
  try {
    for (const sink of settings) sinks.push(sink.type === 'console' ? openConsole(sink, toStdout) : openFile(sink));
  } catch (error) {
    for (const sink of sinks) sink.close();
    throw error;
  }
  return sinks;
}

function openConsole({ level, format, colored }: ConsoleSink, toStdout: boolean): OpenSink {
  const stream = toStdout ? process.stdout : process.stderr;
  const isColored = colored && stream.isTTY && stream.hasColors();
  // Nobody reads any more: a closed pipe must not end the server.
  const onError = (): void => undefined;
  stream.on('error', onError);
  return {
    least: level === null ? null : valueOf(level),
    write: (line) => void stream.write(format === 'json' ? line : textOf(line, isColored)),
    close: () => stream.off('error', onError),
  };
}

function openFile({ level, format, ...options }: FileSink): OpenSink {
  const inForm = (line: string): string => (format === 'json' ? line : textOf(line, false));
  const tellDropped = (count: number, reason: string): string => {
    const timestamp = new Date().toISOString();
    const message = `${count} log line(s) could not be written here: ${reason}`;
    return inForm(`${JSON.stringify({ level: 'WARN', timestamp, dropped: count, message })}\n`);
  };
  const file = new LogFile({ ...options, tellDropped });
  return {
    least: level === null ? null : valueOf(level),
    write: (line) => file.write(inForm(line)),
    close: () => file.close(),
  };
}

function valueOf(level: LogLevel): number {
  return level === 'off' ? OFF : (pino.levels.values[level] ?? OFF);
}

function nameOf(value: number): string {
  return pino.levels.labels[value] ?? 'silent';
}
