/** What the core asks of calendars: when a cron pattern comes next, and when it came last. */

export interface CronWhen {
  /** Five fields (minute first) or six (second first), or a name such as `@daily`. */
  readonly cron: string;
  /** IANA name, such as `Europe/Berlin`. */
  readonly timezone: string;
}

/**
 * Times are milliseconds since the epoch, on whole seconds. Where clocks are set forward, a fixed time that does not exist
 * comes once, right after the gap; where they are set back, a fixed time comes once, and intervals go on through both hours.
 */
export interface Cron {
  /** Fails with `invalid_schedule` for a pattern or a time zone that is none. */
  check(when: CronWhen): void;
  /** The first time after `after`; null when there is none. Fails as {@link check}. */
  next(when: CronWhen, after: number): number | null;
  /** Times from `from` to `until`, both included, latest first and at most `count`. Fails as {@link check}. */
  between(when: CronWhen, from: number, until: number, count: number): readonly number[];
}
