/** Where the configuration lets nobody in from elsewhere, the first start makes a key that does; it is said then and never again. */
import type { App, AppSettings } from '../app.ts';
import { firstAdminKey } from '../interfaces/access-operations.ts';

export async function sayFirstKey(
  { access }: Pick<AppSettings, 'access'>,
  { core }: App,
  say: (text: string) => void,
): Promise<void> {
  const { entrance, keys, tokens } = access;
  const hasWayIn = keys.length > 0 || tokens.jwt !== null || tokens.oauth2 !== null;
  if (entrance === 'open' || hasWayIn) return;
  const key = await firstAdminKey(core);
  if (key === null) return;
  say(
    [
      '',
      "  An administrator's key for requests from other machines; it is shown this once and stored nowhere:",
      `    ${key}`,
      '  Send it as x-api-key.',
    ].join('\n'),
  );
}
