/** All code that is evaluated inside a context, by name, so that each piece is compiled once in a process. */
import { PRELUDE } from './prelude.ts';
import { CONSOLE_MODULE } from './prelude-console.ts';
import { DESCRIBE_MODULE, ERRORS_MODULE } from './prelude-errors.ts';
import { CLONE_MODULE, EVENTS_MODULE } from './prelude-events.ts';
import { HTTP_MODULE } from './prelude-http.ts';
import { STEPS_MODULE } from './prelude-steps.ts';
import { RANDOM_MODULE, TIME_MODULE, TIMERS_MODULE } from './prelude-time.ts';
import { TEXT_MODULE, URL_MODULE } from './prelude-web.ts';

export { PRELUDE };

/** Modules run on first use; each is a function of the prelude's captured intrinsics. */
export const LAZY_MODULES: Readonly<Record<string, string>> = {
  console: CONSOLE_MODULE,
  describe: DESCRIBE_MODULE,
  errors: ERRORS_MODULE,
  http: HTTP_MODULE,
  steps: STEPS_MODULE,
  random: RANDOM_MODULE,
  time: TIME_MODULE,
  timers: TIMERS_MODULE,
  clone: CLONE_MODULE,
  events: EVENTS_MODULE,
  text: TEXT_MODULE,
  url: URL_MODULE,
};
