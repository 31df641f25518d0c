/** Keys of where results of executions go. */
import { z } from 'zod';
import { documented, list, named, required, section, setting, unset } from './fields.ts';
import { choice, duration, flag, httpUrl, type Kind, matching, path, secret, size, text, whole } from './kinds.ts';

/** As Standard Webhooks writes them: 24 to 64 bytes. */
const signingSecret: Kind<string> = {
  ...matching('whsec_ and 24 to 64 random bytes in base64', /^whsec_(?=.{32,88}$)[A-Za-z0-9+/]+={0,2}$/),
  secret: true,
};

/** An absent list stands for all, an empty one for none. */
function optionalList<S extends z.ZodType>(items: S, meaning: string, expects: string): z.ZodNullable<S> {
  return documented(items.nullable(), { meaning, expects, fallback: null, fallbackNote: 'all' });
}

const targetEntry = section('One place that results go to.', {
  type: required(choice(['webhook', 'file', 'stdout']), 'Kind of target.'),
  url: unset(httpUrl, 'Webhook: address that results are posted to; a private one must stand in outbound.allow.'),
  secret: unset(signingSecret, 'Webhook: key that signs, whsec_ and the output of `openssl rand -base64 32`.'),
  previousSecret: unset(signingSecret, 'Webhook: the key before, which signs too while receivers change over.'),
  headers: documented(named(required(secret, 'Value of the header.'), 'Headers.'), {
    meaning: 'Webhook: headers sent besides those of the signature.',
    expects: 'names and values',
    fallback: {},
  }),
  path: unset(path, 'File: where one line of JSON for each result is appended.'),
  events: optionalList(
    list(choice(['completed', 'failed', 'cancelled']), 'Ends that are told.'),
    'Ends that are told.',
    'a list of completed, failed, cancelled',
  ),
  tasks: optionalList(
    list(text, 'Globs of task names.'),
    'Globs of task names whose results may get there.',
    'a list of text',
  ),
  onRequest: setting(flag, false, 'Whether only executions that name it in result_to are told.'),
  maxAttempts: setting(whole(1, 100), 10, 'Attempts before a delivery is a dead letter.'),
  initialDelayMs: setting(
    duration('s'),
    5_000,
    'Pause before the second attempt; each further one is four times as long.',
  ),
  maxDelayMs: setting(duration('s'), 43_200_000, 'Longest pause, also where the receiver asks for a longer one.'),
  timeoutMs: setting(duration('s'), 20_000, 'Webhook: longest time for one attempt.'),
  concurrency: setting(whole(1, 100), 4, 'Webhook: deliveries under way at once.'),
  maxValueBytes: setting(
    size,
    262_144,
    'Largest output, error or metadata that is sent; of a larger one only the address.',
    {
      key: 'max_value_size',
    },
  ),
});

type Entry = z.output<typeof targetEntry>;

/** A target, checked as a whole. Sizes in bytes, times in milliseconds. */
export interface ResultEntry
  extends Pick<Entry, 'onRequest' | 'maxAttempts' | 'initialDelayMs' | 'maxDelayMs' | 'maxValueBytes'> {
  readonly events: readonly ('completed' | 'failed' | 'cancelled')[];
  readonly tasks: readonly string[];
  readonly reach:
    | {
        readonly kind: 'webhook';
        readonly url: string;
        readonly secrets: readonly string[];
        readonly headers: Readonly<Record<string, string>>;
        readonly timeoutMs: number;
        readonly concurrency: number;
      }
    | { readonly kind: 'file'; readonly path: string }
    | { readonly kind: 'stdout' };
}

const target = targetEntry.transform((entry, context): ResultEntry => {
  const reach = reachOf(entry);
  if (typeof reach === 'string') {
    context.addIssue({ code: 'custom', message: reach });
    return z.NEVER;
  }
  const { onRequest, maxAttempts, initialDelayMs, maxDelayMs, maxValueBytes } = entry;
  const events = entry.events ?? (['completed', 'failed', 'cancelled'] as const);
  return {
    onRequest,
    maxAttempts,
    initialDelayMs,
    maxDelayMs,
    maxValueBytes,
    events,
    tasks: entry.tasks ?? ['*'],
    reach,
  };
});

/** @returns how the target is reached, or what is missing. */
function reachOf({ type, url, secret: key, previousSecret, headers, path: file, timeoutMs, concurrency }: Entry) {
  switch (type) {
    case 'webhook': {
      if (url === null) return 'a webhook needs a url';
      if (key === null) return 'a webhook needs a secret that signs';
      const secrets = previousSecret === null ? [key] : [key, previousSecret];
      return { kind: 'webhook' as const, url, secrets, headers, timeoutMs, concurrency };
    }
    case 'file':
      return file === null ? 'a file needs a path' : { kind: 'file' as const, path: file };
    case 'stdout':
      return { kind: 'stdout' as const };
    default:
      return type satisfies never;
  }
}

const MEANING = 'Where results of executions go, by name of the target (letters, digits, - and _).';

/** The name is a part of the id of each delivery. */
export const results = documented(
  named(target, MEANING).superRefine((targets, context) => {
    for (const name of Object.keys(targets)) {
      if (/^[\w-]{1,64}$/.test(name)) continue;
      const message = 'the name of a target is made of letters, digits, - and _, at most 64';
      context.addIssue({ code: 'custom', path: [name], message });
    }
  }),
  { meaning: MEANING, fallback: {} },
);
