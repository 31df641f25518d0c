/** Cron patterns by croner, with time zones and their changes of the clock. */
import { Cron as Pattern } from 'croner';
import { RatchetError } from '../src/domain/errors.ts';
import type { Cron, CronWhen } from '../src/ports/cron.ts';

/** Patterns kept ready; more are read anew each time. */
const MAX_KEPT = 1_000;

/** Mostly one time is due; looking further back is dear. */
const FEW = 2;

export function cronerCron(): Cron {
  const kept = new Map<string, Pattern>();
  const patternOf = ({ cron, timezone }: CronWhen): Pattern => {
    const key = `${timezone}\n${cron}`;
    const known = kept.get(key);
    if (known !== undefined) return known;
    const made = read(cron, timezone);
    if (kept.size >= MAX_KEPT) kept.clear();
    kept.set(key, made);
    return made;
  };
  return {
    check: (when) => void patternOf(when),
    next: (when, after) => patternOf(when).nextRun(new Date(after))?.getTime() ?? null,
    between: (when, from, until, count) => {
      const before = (most: number): readonly number[] =>
        // A time exactly at the reference is no previous one.
        patternOf(when)
          .previousRuns(most, new Date(until + 1))
          .map((time) => time.getTime());
      const few = before(FEW);
      const isAll = few.length < FEW || few.some((time) => time < from);
      return (isAll || count <= FEW ? few : before(count)).filter((time) => time >= from).slice(0, count);
    },
  };
}

function read(cron: string, timezone: string): Pattern {
  try {
    // Croner would take an offset or a wrong name only when it is first used.
    new Intl.DateTimeFormat('en', { timeZone: timezone });
  } catch {
    throw refused(`there is no time zone ${JSON.stringify(timezone)}`, 'timezone');
  }
  // A date would be taken as a pattern that comes once.
  if (!cron.trim().startsWith('@') && ![5, 6].includes(cron.trim().split(/\s+/).length)) {
    throw refused(`${JSON.stringify(cron)} has neither five nor six fields`, 'cron');
  }
  try {
    return new Pattern(cron, { timezone, paused: true, mode: '5-or-6-parts' });
  } catch (cause) {
    const said = cause instanceof Error ? cause.message.replace(/^Cron\w*: /, '') : '';
    throw refused(`${JSON.stringify(cron)} is no cron pattern: ${said}`, 'cron');
  }
}

function refused(message: string, field: string): RatchetError {
  return new RatchetError('invalid_schedule', message, { details: { field } });
}
