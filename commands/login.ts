/** What may be asked of the sessions of a caller: open one, end one; and the answer as facts. */
import { z } from 'zod';
import { PERMISSIONS } from '../src/domain/access.ts';
import { streamName } from '../src/domain/event.ts';
import { type CallerLogins, callerLogins, type LoginEvent, MAX_LOGINS } from '../src/domain/login.ts';
import { timeOf } from '../src/domain/time.ts';
import { defineCommand } from './command.ts';

const rate = z.strictObject({ requests: z.int().positive(), windowMs: z.int().positive() }).nullable();
const caller = z.strictObject({
  id: z.string(),
  kind: z.enum(['local', 'key', 'token', 'worker', 'system']),
  name: z.string(),
  permissions: z.array(z.enum(PERMISSIONS)).readonly(),
  tasks: z.strictObject({ allowed: z.array(z.string()).readonly(), denied: z.array(z.string()).readonly() }),
  limits: z.strictObject({ executions: rate, logs: rate }),
  until: z.number().nullable(),
});

const logInInput = z.strictObject({
  /** Of the stream of all sessions of the caller. */
  accountId: z.string(),
  loginId: z.string(),
  hash: z.string().length(64),
  bond: z.string().length(64),
  basis: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('key'), name: z.string() }),
    z.strictObject({ kind: z.literal('token'), caller }),
    z.strictObject({ kind: z.literal('entrance') }),
  ]),
  openedAt: z.iso.datetime(),
  endsAt: z.iso.datetime(),
});

/** Opens a session; where the caller has as many as it may have, the oldest makes room. */
export const logIn = defineCommand<z.infer<typeof logInInput>, CallerLogins, LoginEvent>({
  name: 'log_in',
  permission: 'read',
  input: logInInput,
  stream: (input) => streamName('access', input.accountId),
  evolution: callerLogins,
  decide: ({ open }, input, { now }) => {
    const { accountId: _, ...login } = input;
    const leaving = open.slice(0, Math.max(0, open.length + 1 - MAX_LOGINS));
    return [
      ...leaving.map(({ loginId, endsAt }): LoginEvent => {
        const reason = timeOf(endsAt) <= now ? 'expired' : 'displaced';
        return { type: 'LoggedOut', data: { loginId, reason } };
      }),
      { type: 'LoggedIn', data: login },
    ];
  },
});

const logOutInput = z.strictObject({ accountId: z.string(), loginId: z.string() });

/** Ends a session; one that has ended stays so. */
export const logOut = defineCommand<z.infer<typeof logOutInput>, CallerLogins, LoginEvent>({
  name: 'log_out',
  permission: 'read',
  input: logOutInput,
  stream: (input) => streamName('access', input.accountId),
  evolution: callerLogins,
  decide: ({ open }, { loginId }) =>
    open.some((login) => login.loginId === loginId) ? [{ type: 'LoggedOut', data: { loginId, reason: 'caller' } }] : [],
});
