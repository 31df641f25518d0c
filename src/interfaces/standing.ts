/** Ends what outlives its request, such as streams and sockets, when the caller's key, token or session does. */
import type { Principal } from '../domain/access.ts';
import type { Access } from './identity.ts';

/** Timers of the runtime reach no further; what lasts longer is looked at again then. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Calls `onEnd` once, as soon as the key of `principal` is revoked or replaced, its session ends, or its time is over.
 * Returns what stops the watch.
 */
export function whileStanding(
  { keys, logins }: Pick<Access, 'keys' | 'logins'>,
  principal: Principal,
  onEnd: () => void,
): () => void {
  let timer: NodeJS.Timeout | undefined;
  const unwatch: (() => void)[] = [];
  let isOver = false;
  const stop = (): void => {
    isOver = true;
    clearTimeout(timer);
    for (const leave of unwatch) leave();
  };
  const end = (): void => {
    if (isOver) return;
    stop();
    onEnd();
  };
  const { until } = principal;
  const arm = (): void => {
    if (until === undefined) return;
    const left = until - Date.now();
    if (left <= 0) end();
    else timer = setTimeout(arm, Math.min(left, MAX_TIMER_MS)).unref();
  };
  arm();
  if (isOver) return stop;
  unwatch.push(keys.watch(principal, end), logins.watch(principal, end));
  if (isOver) stop();
  return stop;
}
