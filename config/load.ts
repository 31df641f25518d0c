/** Loads the configuration from flags, environment, file, overlay and defaults; with `terminal.ts` the only reader of the process environment. */
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, extname, join as joinPath, resolve } from 'node:path';
import { assemble } from './assemble.ts';
import { followed, overDefaults } from './derive.ts';
import { applyEnvironment } from './environment.ts';
import { ConfigError, type ConfigProblem } from './error.ts';
import { interpolate, type Environment } from './interpolate.ts';
import { dataFolder } from './locations.ts';
import { judge } from './policy.ts';
import type { Config } from './schema.ts';
import { canonical } from './spellings.ts';
import { strictest } from './strictest.ts';
import { describeOrigin, fromValue, overlaySection, put, type Origin, type Place, type Section } from './tree.ts';
import { readYaml } from './yaml-source.ts';

export interface LoadOptions {
  /** Configuration file, relative to `cwd`. None: defaults, environment and flags only. */
  readonly file?: string;
  /** Default: the environment of this process. */
  readonly env?: Environment;
  /** By path in the file, such as `{'mcp.port': 8091}`; undefined values are left out. */
  readonly flags?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;
  /** Default: the folder the process was started in. */
  readonly cwd?: string;
  /** Default: the platform of this process. */
  readonly platform?: string;
}

export interface LoadedConfig {
  readonly config: Config;
  /** Where each set key came from, by path in the file; a path that is absent has its default. */
  readonly origins: ReadonlyMap<string, Origin>;
  readonly warnings: readonly string[];
  /** Files that were read, the overlay last. */
  readonly files: readonly string[];
  /** Folder for everything that has no place of its own. */
  readonly dataFolder: string;
}

/** Fails with {@link ConfigError}, which holds every problem found. */
export function loadConfig(options: LoadOptions = {}): LoadedConfig {
  const { env = process.env, cwd = process.cwd(), platform = process.platform, flags = {} } = options;
  const problems: ConfigProblem[] = [];
  const warnings: string[] = [];
  const start: Place = { origin: { kind: 'default' }, folder: cwd, written: '' };
  let tree: Section = { kind: 'section', entries: new Map(), place: start };

  const files = options.file === undefined ? [] : filesToRead(resolve(cwd, options.file), env, problems);
  for (const [index, file] of files.entries()) {
    tree = overlaySection(tree, readLayer(file, index === 0 ? 'file' : 'overlay', problems, warnings));
  }
  // What the file implies is put in before a disabled key can vanish and leave a door open.
  const withEnvironment = applyEnvironment(followed(tree), env, cwd);
  problems.push(...withEnvironment.problems);
  tree = withEnvironment.tree;
  for (const [path, value] of Object.entries(flags)) {
    const node = fromValue(value, { origin: { kind: 'flag' }, folder: cwd, written: path });
    if (node !== undefined) tree = put(tree, path, node);
  }
  // Last, so that a reference in a value that something overrides is not asked for.
  const filled = interpolate(followed(tree), env);
  problems.push(...filled.problems);
  warnings.push(...filled.warnings);

  const data = dataFolder(env, platform, cwd);
  if (data === null)
    warnings.push(`no home folder is known; data is kept in ${resolve(cwd, '.ratchet')}; set RATCHET_HOME`);
  const home = data ?? resolve(cwd, '.ratchet');
  const tasks = resolve(cwd, 'tasks');
  const database = `sqlite:${joinPath(home, 'ratchet.db')}`;
  tree = overDefaults(filled.tree, database, existsSync(tasks) ? tasks : null, start);

  const { config, origins, problems: found } = assemble(tree);
  problems.push(...found.filter((problem) => !problems.some((told) => samePlace(told, problem))));
  if (config === null || problems.length > 0) throw new ConfigError(problems);
  const capped = capPool(config, origins);
  const verdict = judge(capped.config, capped.origins);
  if (verdict.problems.length > 0) throw new ConfigError(verdict.problems);
  return { ...capped, warnings: [...warnings, ...verdict.warnings], files, dataFolder: home };
}

/** What is wrong about a variable is not told a second time as a value of the wrong kind. */
function samePlace(one: ConfigProblem, other: ConfigProblem): boolean {
  return one.path === other.path && one.file === other.file && one.line === other.line;
}

function filesToRead(file: string, env: Environment, problems: ConfigProblem[]): readonly string[] {
  const name = env.RATCHET_ENV || env.NODE_ENV;
  if (!name || !/^[\w-]{1,64}$/.test(name)) {
    if (name)
      problems.push({ message: `expected a name of letters, digits, - and _, got "${name}"`, path: 'RATCHET_ENV' });
    return [file];
  }
  const extension = extname(file);
  const beside = joinPath(dirname(file), `${basename(file, extension)}.${name}${extension}`);
  return existsSync(beside) ? [file, beside] : [file];
}

function readLayer(file: string, kind: 'file' | 'overlay', problems: ConfigProblem[], warnings: string[]): Section {
  const source = readYaml(readText(file, problems), file, dirname(file), kind);
  problems.push(...source.problems);
  warnings.push(...source.warnings);
  return canonical(source.tree, (path, first, second) => {
    const kept = strictest(path, first, second);
    const other = kept === first ? second : first;
    if (JSON.stringify(plain(first)) !== JSON.stringify(plain(second))) {
      warnings.push(
        `${describeOrigin(first.place.origin)} ${first.place.written} and ${describeOrigin(second.place.origin)} ${second.place.written} ` +
          `are two spellings of ${path}; ${kept.place.written} counts, ${other.place.written} does not`,
      );
    }
    return kept;
  });
}

function plain(node: Parameters<typeof strictest>[1]): unknown {
  return node.kind === 'leaf' ? node.value : node.items;
}

function readText(file: string, problems: ConfigProblem[]): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    problems.push({ message: cannotRead(file, code) });
    return '';
  }
}

function cannotRead(file: string, code: unknown): string {
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return `Permission denied: ${file} can not be read; let the user of this process read it (chmod, chown)`;
    case 'ENOENT':
      return `there is no configuration file ${file}; check the path given with --config`;
    case 'EISDIR':
      return `${file} is a folder; give the configuration file inside it`;
    default:
      return `${file} can not be read (${String(code)})`;
  }
}

/** `pool_size` is the pool of one process and `max_connections` caps it. */
function capPool(
  config: Config,
  origins: ReadonlyMap<string, Origin>,
): { config: Config; origins: ReadonlyMap<string, Origin> } {
  const { poolSize, maxConnections } = config.database;
  if (poolSize <= maxConnections) return { config, origins };
  const cause = origins.get('database.max_connections');
  return {
    config: { ...config, database: { ...config.database, poolSize: maxConnections } },
    origins: cause === undefined ? origins : new Map([...origins, ['database.pool_size', cause]]),
  };
}
