/** How `ratchet events export`, `import`, `copy` and `verify` are asked. */
import type { Command } from 'commander';
import type { CopyOptions, ExportCommandOptions, ImportOptions, VerifyOptions } from './move-events.ts';
import type { WithSettings } from './schedule-commands.ts';

const work = () => import('./move-events.ts');

const FROM = 'database to read; that of the configuration when left out';
const TO = 'database to write; that of the configuration when left out';
const FORCE = 'also while a server seems to run on the target';

/** Adds to `events` all that moves a log from one store to another. */
export function addMovingCommands(events: Command, withSettings: WithSettings): void {
  events
    .command('export')
    .description('write all events to a file')
    .option('--from <url>', FROM)
    .requiredOption('--out <file>', 'file to write, compressed where it ends in .gz; - for standard output')
    .option('--resume', 'go on with a file that was begun, or add what is new to one that is whole')
    .action((options: ExportCommandOptions, command: Command) =>
      withSettings(command, async (settings, output) => (await work()).exportEvents(settings, options, output)),
    );
  events
    .command('import')
    .description('store the events of a file in a database that is empty or holds the first of them')
    .argument('<file>', 'what export has written; - for standard input')
    .option('--to <url>', TO)
    .option('--resume', 'take what is there of a file that was cut off')
    .option('--force', FORCE)
    .action((file: string, options: ImportOptions, command: Command) =>
      withSettings(command, async (settings, output) => (await work()).importEvents(settings, file, options, output)),
    );
  events
    .command('copy')
    .description('bring all events from one database into another that is empty or holds the first of them')
    .requiredOption('--from <url>', 'database to read')
    .requiredOption('--to <url>', 'database to write')
    .option('--follow', 'go on with what is stored meanwhile, until stopped')
    .option('--force', FORCE)
    .action((options: CopyOptions, command: Command) =>
      withSettings(command, async (settings, output) => (await work()).copyEvents(settings, options, output)),
    );
  events
    .command('verify')
    .description('tell number and hash of all events, and whether another database or file holds the same')
    .option('--from <place>', 'database or file to read; the database of the configuration when left out')
    .option('--against <place>', 'database or file to compare with')
    .action((options: VerifyOptions, command: Command) =>
      withSettings(command, async (settings, output) => (await work()).verifyEvents(settings, options, output)),
    );
}
