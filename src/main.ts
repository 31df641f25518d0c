/** The process: reads arguments, runs one command, turns trouble into words and an exit code. */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Argument, Command, CommanderError, Option } from 'commander';
import { generatedConfig } from '../config/generate.ts';
import { type LoadedConfig, loadConfig } from '../config/load.ts';
import { formatConfig, showConfig } from '../config/show.ts';
import { wantsColors } from '../config/terminal.ts';
import { openLogging } from '../infra/logging.ts';
import type { AppSettings } from './app.ts';
import { colorsFor } from './cli/colors.ts';
import { completionScript, SHELLS, type Shell } from './cli/completion.ts';
import type { DebugOptions } from './cli/debug.ts';
import type { AnalyzeOptions } from './cli/diagnose.ts';
import { type ExitCode, explainExit } from './cli/exit.ts';
import type { GenerateTaskOptions } from './cli/generate-task.ts';
import { callerKey, mcpAccess, mcpSettings } from './cli/mcp-settings.ts';
import type { MigrateOptions } from './cli/migrate.ts';
import { addMovingCommands } from './cli/moving-commands.ts';
import { type Output, openOutput } from './cli/output.ts';
import type { ProfileOptions, TraceOptions } from './cli/profile.ts';
import type { ReplayOptions } from './cli/replay.ts';
import type { RepoInitOptions } from './cli/repo-init.ts';
import { arePrinted, resultTargets } from './cli/result-settings.ts';
import { addScheduleCommands } from './cli/schedule-commands.ts';
import { appSettings, logSettings, mcpListenSettings, serveSettings } from './cli/settings.ts';
import type { TokenOptions } from './cli/token.ts';
import type { ResultTarget } from './domain/result-target.ts';

interface Globals {
  readonly config?: string;
  readonly json?: boolean;
}

interface McpOptions {
  readonly transport: 'stdio' | 'http' | 'sse';
  readonly readOnly?: boolean;
}

const VERSION: string = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version;

// A command loads what it needs: help and small commands do not wait for the server's libraries.
const checks = () => import('./cli/check-tasks.ts');
const diagnosis = () => import('./cli/diagnose.ts');
const inspection = () => import('./cli/inspect.ts');
const timing = () => import('./cli/profile.ts');
const replays = () => import('./cli/replay.ts');

/** What the command answered; commander itself keeps none. */
let exitCode: ExitCode = 0;

/** @param listener section that --host and --port belong to */
function load(
  command: Command,
  listener: 'server' | 'mcp' = 'server',
  more: Readonly<Record<string, string | readonly string[]>> = {},
): LoadedConfig {
  const { config } = command.optsWithGlobals<Globals>();
  const { host, port } = command.opts<{ host?: string; port?: string }>();
  const flags = {
    ...more,
    ...(host === undefined ? {} : { [`${listener}.host`]: host }),
    ...(port === undefined ? {} : { [`${listener}.port`]: port }),
  };
  return loadConfig({ ...(config === undefined ? {} : { file: config }), flags });
}

function outputOf(command: Command): Output {
  return openOutput(command.optsWithGlobals<Globals>().json, colorsFor(wantsColors(process.stdout)));
}

/** Settings for commands that are not servers: they log only what is wrong. */
async function withSettings(
  command: Command,
  work: (settings: AppSettings, output: Output) => Promise<ExitCode>,
): Promise<void> {
  const { config, dataFolder } = load(command);
  const logging = openLogging({ ...config.logging, level: 'warn', sinks: [] }, { stdout: false });
  try {
    exitCode = await work(appSettings(config, logging.logger, availableParallelism(), dataFolder), outputOf(command));
  } finally {
    await logging.close();
  }
}

async function runServer(command: Command): Promise<void> {
  const { roles } = command.opts<{ roles?: string }>();
  const { config, warnings, dataFolder } = load(
    command,
    'server',
    roles === undefined ? {} : { 'server.roles': roles.split(',').map((role) => role.trim()) },
  );
  const results = resultTargets(config, 'free');
  const logging = openLogging(logSettings(config), { stdout: !arePrinted(results) });
  for (const warning of warnings) logging.logger.warn(warning);
  try {
    const settings = { ...appSettings(config, logging.logger, availableParallelism(), dataFolder), results };
    const { serve } = await import('./cli/serve.ts');
    exitCode = await serve(settings, serveSettings(config, VERSION), (text) => void process.stderr.write(`${text}\n`));
  } finally {
    await logging.close();
  }
  leaveUnread(results);
}

/** A line that nobody reads would keep a server that has ended; it counts as undelivered, and is printed by the next one. */
function leaveUnread(results: readonly ResultTarget[]): void {
  if (arePrinted(results) && process.stdout.writableLength > 0) process.exit(exitCode);
}

function program(): Command {
  const root = new Command('ratchet')
    .description('Runs JavaScript tasks and remembers everything.')
    .option('-c, --config <file>', 'configuration file (YAML)')
    .addOption(new Option('--json', 'print JSON, also on a terminal'))
    .exitOverride()
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: true, styleTitle: colorsFor(wantsColors(process.stdout)).bold });
  root
    .command('serve')
    .description('start the server')
    .option('--host <host>', 'address to bind')
    .option('--port <port>', 'port to bind; 0 takes a free one')
    .option('--roles <roles>', 'what this node does: some of api, worker, projector; all by default')
    .action((_options, command: Command) => runServer(command));
  addMcpCommands(root);
  addTaskCommands(root);
  addGenerateCommands(root);
  addRepositoryCommands(root);
  addRecordCommands(root);
  addDiagnosisCommands(root);
  addTimeCommands(root);
  addConfigCommands(root);
  addDatabaseCommands(root);
  addAccessCommands(root);
  addScheduleCommands(root, withSettings);
  addCompletion(root);
  return root;
}

function addMcpCommands(root: Command): void {
  const commands = {
    mcp: { transport: 'http', description: 'offer the tools to MCP clients over HTTP' },
    'mcp-serve': {
      transport: 'stdio',
      description: 'offer the tools to the MCP client that starts this process, over its standard streams',
    },
  } as const;
  for (const [name, { transport, description }] of Object.entries(commands)) {
    root
      .command(name)
      .description(description)
      .addOption(
        new Option('--transport <transport>', 'sse means http').choices(['stdio', 'http', 'sse']).default(transport),
      )
      .option('--host <host>', 'address to bind, over HTTP')
      .option('--port <port>', 'port to bind, over HTTP; 0 takes a free one')
      .option('--read-only', 'only tools that change nothing')
      .action((options: McpOptions, command: Command) => runMcp(command, options));
  }
}

async function runMcp(command: Command, { transport, readOnly = false }: McpOptions): Promise<void> {
  const isStdio = transport === 'stdio';
  const { config, warnings, dataFolder } = load(command, 'mcp', { 'mcp.transport': isStdio ? 'stdio' : 'http' });
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  if (isStdio) {
    const [{ keepStdoutForProtocol }, { keepHeapSmall }] = await Promise.all([
      import('./cli/protocol-stdout.ts'),
      import('./cli/small-heap.ts'),
    ]);
    keepStdoutForProtocol();
    keepHeapSmall();
  }
  const results = resultTargets(config, isStdio ? 'protocol' : 'free');
  const logging = openLogging(logSettings(config), { stdout: !isStdio && !arePrinted(results) });
  for (const warning of warnings) logging.logger.warn(warning);
  try {
    const cpus = availableParallelism();
    const shared = { ...appSettings(config, logging.logger, cpus, dataFolder), results };
    // Clients start a server each, and most of them never run a task: processes for tasks come when they are needed.
    const settings = { ...shared, access: mcpAccess(config), warmWorkers: isStdio ? 0 : shared.warmWorkers };
    if (isStdio) {
      const { mcpServe } = await import('./cli/mcp-serve.ts');
      const options = { ...mcpSettings(config, readOnly), callerKey: callerKey(config), version: VERSION };
      exitCode = await mcpServe(settings, options, say);
    } else {
      const { mcp } = await import('./cli/mcp.ts');
      exitCode = await mcp(settings, mcpListenSettings(config, readOnly, VERSION), say);
    }
  } finally {
    await logging.close();
  }
  leaveUnread(results);
}

function addTaskCommands(root: Command): void {
  root
    .command('run-once')
    .description('run one task from files, without a server')
    .requiredOption('--from-fs <path>', 'folder of the task')
    .option('--input-json <json>', 'input as JSON')
    .option('--input-file <file>', 'file with the input as JSON; - for standard input')
    .option('--record <folder>', 'write everything recorded to this folder')
    .option(
      '--profile <file>',
      'profile the run by replaying it, into this file: .cpuprofile, .speedscope.json, .folded or .svg',
    )
    .action((options, command: Command) =>
      withSettings(command, async (settings, output) => {
        const { runOnce } = await import('./cli/run-once.ts');
        return runOnce(settings, options, output);
      }),
    );
  root
    .command('validate')
    .description('check tasks in files: code, schemas, tests')
    .requiredOption('--from-fs <path>', 'folder of one task or of many')
    .action(async ({ fromFs }: { fromFs: string }, command: Command) => {
      exitCode = await (await checks()).validate(fromFs, outputOf(command));
    });
  root
    .command('test')
    .description('run the tests that stand beside tasks')
    .requiredOption('--from-fs <path>', 'folder of one task or of many')
    .action(({ fromFs }: { fromFs: string }, command: Command) =>
      withSettings(command, async (settings, output) => (await checks()).testTasks(settings, fromFs, output)),
    );
}

function addDiagnosisCommands(root: Command): void {
  root
    .command('analyze')
    .description('tell why an execution failed, with the events that prove it')
    .argument('<execution>', 'id of the execution')
    .option('--attempt <number>', 'attempt; the last one when left out', Number)
    .action((id: string, options: AnalyzeOptions, command: Command) =>
      withSettings(command, async (settings, output) => (await diagnosis()).analyze(settings, id, options, output)),
    );
  root
    .command('compare')
    .description('tell how two executions differ')
    .argument('<a>', 'id of an execution')
    .argument('<b>', 'id of another')
    .action((a: string, b: string, _options, command: Command) =>
      withSettings(command, async (settings, output) => (await diagnosis()).compare(settings, a, b, output)),
    );
}

function addGenerateCommands(root: Command): void {
  root
    .command('generate')
    .description('make something new to begin from')
    .command('task')
    .description('a task that runs, with schemas, a test and a README')
    .argument('<name>', 'name of the task')
    .option('--dir <folder>', 'folder in which it is made', 'tasks')
    .addOption(new Option('--style <style>', 'how fetch behaves').choices(['promise', 'blocking']).default('promise'))
    .option('--description <text>', 'what it does')
    .action(async (name: string, options: GenerateTaskOptions, command: Command) => {
      exitCode = (await import('./cli/generate-task.ts')).generateTask(name, options, outputOf(command));
    });
}

function addRepositoryCommands(root: Command): void {
  const repository = root.command('repo').description('repositories of tasks');
  repository
    .command('init')
    .description('make a repository of tasks to begin from')
    .argument('[dir]', 'folder; it may hold other things already', '.')
    .option('--name <name>', "name of the repository; the folder's when left out")
    .action(async (dir: string, options: RepoInitOptions, command: Command) => {
      exitCode = (await import('./cli/repo-init.ts')).repoInit(dir, options, outputOf(command));
    });
  repository
    .command('status')
    .description('read the configured task sources, without a server')
    .action((_options, command: Command) =>
      withSettings(command, async (settings, output) =>
        (await import('./cli/repo-status.ts')).repoStatus(settings, output),
      ),
    );
}

function addRecordCommands(root: Command): void {
  root
    .command('replay')
    .description('run an execution again on its journal and compare, or with other code and judge')
    .argument('[execution]', 'id of the execution; of the recording when left out')
    .option('--recording <folder>', 'replay what `run-once --record` wrote, without a database')
    .option('--attempt <number>', 'attempt; the last one when left out', Number)
    .option('--from-fs <folder>', 'task whose code must be the recorded one, unless --patch is given')
    .option('--patch', 'let the code of --from-fs stand in for the recorded one')
    .option('--patch-from <folder>', 'task whose code stands in for the recorded one')
    .option('--version <number>', 'published version that stands in for the recorded one', Number)
    .option('--input-json <json>', 'input that stands in for the recorded one')
    .option('--stubs <file>', 'list of outcomes for calls that the record does not answer, as JSON')
    .option('--allow-live', 'let calls out that neither record nor stubs answer')
    .addOption(new Option('--changed <what>', 'what a call with changed arguments gets').choices(['reuse', 'block']))
    .option('--save-test <name>', 'write this case as a test beside the task')
    .option('--failures <number>', 'try it on so many past failures like this one', Number)
    .action((id: string | undefined, options: ReplayOptions, command: Command) =>
      withSettings(command, async (settings, output) => (await replays()).replay(settings, id, options, output)),
    );
  const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];
  root
    .command('debug')
    .description('lead a recorded execution line by line, with its real data and nothing going out')
    .argument('<execution>', 'id of the execution')
    .option('--attempt <number>', 'attempt; the last one when left out', Number)
    .option('--break <line>', 'stop at a line, as in 12 or "12 if n > 2"; may be repeated', collect)
    .option('--step <path>', 'stop in the call of a step; may be repeated', collect)
    .option('--report', 'run to the end, and tell what was seen at each stop')
    .option('--watch <expression>', 'with --report: tell its value at each stop; may be repeated', collect)
    .option('--exceptions', 'with --report: stop where an exception is thrown')
    .action((id: string, options: DebugOptions, command: Command) =>
      withSettings(command, async (settings, output) =>
        (await import('./cli/debug.ts')).debug(settings, id, options, output),
      ),
    );
  const events = root.command('events').description('look at stored events, and move them to another database');
  const follows = { tail: 'print events as they are stored', show: 'print stored events' };
  for (const [name, description] of Object.entries(follows)) {
    events
      .command(name)
      .description(description)
      .option('--after <position>', 'go on after this position')
      .option('--category <names>', 'stream categories, separated by commas')
      .option('--type <names>', 'event types, separated by commas')
      .option('--limit <number>', 'how many at most', Number, 100)
      .action((options, command: Command) =>
        withSettings(command, async (settings, output) =>
          (await inspection()).showEvents(settings, options, name === 'tail', output),
        ),
      );
  }
  addMovingCommands(events, withSettings);
  const projections = root.command('projections').description('look at read models, and build them anew');
  projections
    .command('status')
    .description('how far each projection is')
    .action((_options, command: Command) =>
      withSettings(command, async (settings, output) => (await inspection()).projectionStatus(settings, output)),
    );
  projections
    .command('rebuild')
    .description('build read models anew from all events')
    .argument('[names...]', 'projections; all when left out')
    .action((names: string[], _options, command: Command) =>
      withSettings(command, async (settings, output) =>
        (await inspection()).rebuildProjections(settings, names, output),
      ),
    );
}

function addDatabaseCommands(root: Command): void {
  root
    .command('migrate')
    .description('bring the tables of a PostgreSQL database up to this program, before it is started')
    .option('--status', 'only tell what has been applied')
    .option('--roles <name>', 'only print a script that gives a role the rights to run Ratchet and no others')
    .action((options: MigrateOptions, command: Command) =>
      withSettings(command, async (settings, output) =>
        (await import('./cli/migrate.ts')).migrateDatabase(settings, options, output),
      ),
    );
}

function addTimeCommands(root: Command): void {
  const traceOutputs = ['text', 'json', 'flamegraph', 'folded', 'speedscope', 'svg', 'html'];
  root
    .command('trace')
    .description('tell where the time of an execution went, from its spans')
    .argument('<execution>', 'id of the execution')
    .addOption(new Option('--format <format>', 'text on a terminal, else json').choices(traceOutputs))
    .option('--attempt <number>', 'attempt; all when left out', Number)
    .option('--out <file>', 'write to this file')
    .action((id: string, options: TraceOptions, command: Command) =>
      withSettings(command, async (settings, output) => (await timing()).trace(settings, id, options, output)),
    );
  const profileFormats = ['cpuprofile', 'speedscope', 'folded', 'svg'];
  root
    .command('profile')
    .description('tell where the code of an execution spent processor time, by replaying it under a profiler')
    .argument('<execution>', 'id of the execution')
    .addOption(new Option('--format <format>', "by the file's extension, else cpuprofile").choices(profileFormats))
    .option('--attempt <number>', 'attempt; the last one when left out', Number)
    .option('--interval-us <number>', 'microseconds between samples', Number)
    .option('--out <file>', 'write to this file')
    .action((id: string, options: ProfileOptions, command: Command) =>
      withSettings(command, async (settings, output) => (await timing()).profile(settings, id, options, output)),
    );
}

function addAccessCommands(root: Command): void {
  const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];
  root
    .command('token')
    .description('tokens for callers of the server')
    .command('create')
    .description('make a token, signed with auth.jwt.secret')
    .requiredOption('--name <name>', 'who carries it; appears in the audit trail as token:<name>')
    .requiredOption('--role <role>', 'admin, operator or reader')
    .option('--expires-in <time>', 'such as 90s, 30m, 24h or 7d; auth.jwt.expires_in when left out')
    .option('--allow-tasks <glob>', 'task names that may be touched; may be repeated', collect)
    .option('--deny-tasks <glob>', 'task names that may not; may be repeated', collect)
    .action((options: TokenOptions, command: Command) =>
      withSettings(command, async (settings, output) =>
        (await import('./cli/token.ts')).createToken(settings, options, Date.now(), output),
      ),
    );
}

function addCompletion(root: Command): void {
  root
    .command('completion')
    .description('print a script that completes commands and options in a shell')
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .action((shell: Shell) => void process.stdout.write(completionScript(root, shell)));
}

function addConfigCommands(root: Command): void {
  const config = root.command('config').description('look at the configuration');
  config
    .command('validate')
    .description('say what is wrong with it')
    .action((_options, command: Command) => {
      const { warnings, files } = load(command);
      outputOf(command).result({ valid: true, files, warnings }, () =>
        [`valid: ${files.join(', ') || 'defaults'}`, ...warnings].join('\n'),
      );
    });
  config
    .command('generate')
    .description('print a file with every key, its meaning and its default')
    .action(() => void process.stdout.write(generatedConfig()));
  config
    .command('show')
    .description('print each value with where it comes from')
    .action((_options, command: Command) => {
      const loaded = load(command);
      outputOf(command).result(showConfig(loaded), () => formatConfig(loaded).trimEnd());
    });
}

/** `--help` beside any other flags prints help and ends well, whatever else is wrong with the line. */
function wantsHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return (end < 0 ? args : args.slice(0, end)).some((arg) => arg === '--help' || arg === '-h');
}

function commandOf(root: Command, args: readonly string[]): Command {
  return args.reduce((at, arg) => at.commands.find((command) => command.name() === arg) ?? at, root);
}

/** A flag of the program is one of every command, so a command that means something else by it must be alone with it. */
function addVersion(root: Command, args: readonly string[]): void {
  const isTaken = commandOf(root, args).options.some(({ long }) => long === '--version');
  if (!isTaken) root.version(VERSION, '-V, --version');
}

async function main(args: readonly string[]): Promise<number> {
  const root = program();
  addVersion(root, args);
  if (wantsHelp(args)) {
    process.stdout.write(commandOf(root, args).helpInformation());
    return 0;
  }
  try {
    await root.parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const { text, code } = explainExit(error);
    const { red } = colorsFor(wantsColors(process.stderr));
    process.stderr.write(`${text.replace(/^.*/, red)}\n`);
    return code;
  }
}

process.exitCode = await main(process.argv.slice(2));
