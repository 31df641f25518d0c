/** How `ratchet schedule` is asked. */
import type { Command } from 'commander';
import type { AppSettings } from '../app.ts';
import type { ExitCode } from './exit.ts';
import type { Output } from './output.ts';
import type { CreateOptions } from './schedule.ts';

/** Runs `work` with the settings of the command, and keeps its exit code. */
export type WithSettings = (
  command: Command,
  work: (settings: AppSettings, output: Output) => Promise<ExitCode>,
) => Promise<void>;

const work = () => import('./schedule.ts');

const SWITCHES = {
  enable: 'let a disabled schedule fire again, from its next time on',
  disable: 'let a schedule fire no more until it is enabled',
  delete: 'delete a schedule; its executions stay on record',
} as const;

/** Adds `schedule` with all that can be done to one. */
export function addScheduleCommands(root: Command, withSettings: WithSettings): void {
  const schedules = root.command('schedule').description('execute tasks again and again, at the times of a pattern');
  schedules
    .command('list')
    .description('schedules by name, with the time at which each comes next')
    .option('--task <name>', 'of this task alone')
    .option('--limit <number>', 'how many at most', Number, 50)
    .action((options: { task?: string; limit: number }, command: Command) =>
      withSettings(command, async (settings, output) => (await work()).listSchedules(settings, options, output)),
    );
  schedules
    .command('create')
    .description('make a schedule')
    .argument('<task>', 'name or id of the task')
    .requiredOption('--cron <pattern>', 'five fields (minute first), six (second first), or @hourly, @daily, …')
    .option('--name <name>', 'what people call it; the name of the task when left out')
    .option('--timezone <zone>', 'IANA name, such as Europe/Berlin; UTC when left out')
    .option('--input-json <json>', 'input as JSON; {} when left out')
    .option('--input-file <file>', 'file with the input as JSON; - for standard input')
    .option('--description <text>', 'what it is for')
    .option('--disabled', 'let it fire no more until it is enabled')
    .action((task: string, options: CreateOptions, command: Command) =>
      withSettings(command, async (settings, output) => (await work()).createSchedule(settings, task, options, output)),
    );
  schedules
    .command('show')
    .description('one schedule with its input, its next time and its last execution')
    .argument('<schedule>', 'id of the schedule')
    .action((id: string, _options, command: Command) =>
      withSettings(command, async (settings, output) => (await work()).showSchedule(settings, id, output)),
    );
  for (const [name, description] of Object.entries(SWITCHES)) {
    schedules
      .command(name)
      .description(description)
      .argument('<schedule>', 'id of the schedule')
      .option('--reason <text>', 'why; stands in the audit trail')
      .action((id: string, options: { reason?: string }, command: Command) =>
        withSettings(command, async (settings, output) =>
          (await work()).changeSchedule(settings, `${name}_schedule`, id, options, output),
        ),
      );
  }
  schedules
    .command('trigger')
    .description('fire a schedule once now; a server that runs on the database executes it')
    .argument('<schedule>', 'id of the schedule')
    .action((id: string, _options, command: Command) =>
      withSettings(command, async (settings, output) =>
        (await work()).changeSchedule(settings, 'trigger_schedule', id, {}, output),
      ),
    );
}
