/** A browser that keeps the cookie of a session, as far as tests of the server need one. */
import { expect } from 'vitest';
import { type Answer, call } from './server.ts';

export interface Browser {
  /** The `Set-Cookie` that opened the session. */
  readonly setCookie: string;
  /** `name=value`, as it is sent. */
  readonly cookie: string;
  readonly token: string;
  /** What was answered when the session was opened. */
  readonly opened: Answer['body'];
  /** The cookie alone. */
  readonly bare: Readonly<Record<string, string>>;
  /** The cookie, and what a page of the server adds. */
  readonly own: Readonly<Record<string, string>>;
  /** Asks with the cookie, below the REST prefix; with the CSRF token unless told otherwise. */
  ask(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  /** The same session at another node. */
  at(url: string): Browser;
}

/** Opens a session with these headers. */
export async function logIn(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Browser> {
  const { status, headers: told, body } = await call(url, 'POST', '/api/v1/session', undefined, headers);
  expect(status, JSON.stringify(body)).toBe(201);
  return browserAt(url, told.get('set-cookie') ?? '', body);
}

function browserAt(url: string, setCookie: string, opened: Answer['body']): Browser {
  const [cookie = ''] = setCookie.split(';');
  const token = String(opened['csrf_token']);
  const own = { cookie, 'x-csrf-token': token };
  return {
    setCookie,
    cookie,
    token,
    opened,
    bare: { cookie },
    own,
    ask: (method, path, body, headers = own) => call(url, method, `/api/v1${path}`, body, headers),
    at: (other) => browserAt(other, setCookie, opened),
  };
}
