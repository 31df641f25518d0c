/** Secrets from the configuration: revealed only in requests to their hosts, redacted from everything that comes back. */
import { createHmac, getHashes } from 'node:crypto';
import { RatchetError } from '../src/domain/errors.ts';
import type { Secrets } from '../src/ports/secrets.ts';

export interface ConfiguredSecret {
  readonly value: string;
  /** Host names, or `*.example.com` for all below; empty: no host may have it. */
  readonly allowedHosts: readonly string[];
}

const PLACEHOLDER = /\{\{secret:([A-Za-z0-9_.-]{1,128})\}\}/g;
/** Shorter values would be found by chance in innocent text. */
const SHORTEST_REDACTED = 4;

/** @returns a keeper of the given secrets by name. */
export function configuredSecrets(secrets: Readonly<Record<string, ConfiguredSecret>>): Secrets {
  const forms = Object.entries(secrets)
    .flatMap(([name, { value }]) => searchable(encodedForms(value)).map((form) => ({ form, name })))
    .sort(longestFirst);
  const byteForms = forms
    .flatMap(({ form, name }) => searchable(bytesOf(form)).map((bytes) => ({ form: bytes, name })))
    .sort(longestFirst);

  const find = (name: string): ConfiguredSecret => {
    const secret = Object.hasOwn(secrets, name) ? secrets[name] : undefined;
    if (secret !== undefined) return secret;
    throw new RatchetError('secret_unavailable', `there is no secret named ${name}`, { details: { secret: name } });
  };

  return {
    reveal: (text, host) =>
      text.replace(PLACEHOLDER, (_, name: string) => {
        const secret = find(name);
        if (secret.allowedHosts.some((pattern) => hostMatches(pattern, host))) return secret.value;
        throw new RatchetError('secret_unavailable', `the secret ${name} may not be sent to ${host}`, {
          details: { secret: name, host },
        });
      }),
    redact: (text) => replaced(text, forms),
    redactBytes: (bytes) => {
      if (byteForms.length === 0) return bytes;
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
      return Buffer.from(replaced(text, byteForms), 'latin1');
    },
    hmac: (name, data, { algorithm, encoding }) => {
      if (!getHashes().includes(algorithm)) {
        throw new RatchetError('invalid_request', `there is no hash algorithm ${algorithm}`, {
          details: { algorithm },
        });
      }
      return createHmac(algorithm, find(name).value).update(data).digest(encoding);
    },
  };
}

/** A way in which a secret may stand in an answer. */
interface Form {
  readonly form: string;
  readonly name: string;
}

/** A form may be part of another. */
function longestFirst(a: Form, b: Form): number {
  return b.form.length - a.form.length;
}

function replaced(text: string, forms: readonly Form[]): string {
  let clean = text;
  // By a function: in a replacement text, the dollar signs of a name would be read as patterns.
  for (const { form, name } of forms) clean = clean.replaceAll(form, () => `{{secret:${name}}}`);
  return clean;
}

function searchable(forms: readonly string[]): readonly string[] {
  return [...new Set(forms)].filter((form) => form.length >= SHORTEST_REDACTED);
}

/** A server may echo a secret as it is, in Base64, as a URL or a form encodes it, and each of these inside JSON text. */
function encodedForms(value: string): readonly string[] {
  if (value.length < SHORTEST_REDACTED) return [];
  const bytes = Buffer.from(value);
  const percent = [
    ...(value.isWellFormed() ? [encodeURIComponent(value)] : []),
    new URLSearchParams([['', value]]).toString().slice(1),
    ...urlForms(value),
  ];
  const forms = [
    value,
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('base64url'),
    ...percent,
    ...percent.map((form) => form.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase())),
  ];
  return forms.flatMap((form) => [form, ...jsonForms(form)]);
}

/** What a URL makes of the value in its path, its query, its fragment and its credentials. */
function urlForms(value: string): readonly string[] {
  const credentials = new URL('http://host/');
  credentials.password = value;
  const starts = ['http://host/', 'http://host/?', 'http://host/#'];
  return [credentials.password, ...starts.map((start) => new URL(`${start}${value}`).href.slice(start.length))];
}

/** Writers of JSON differ in whether they escape slashes, and letters beyond ASCII. */
function jsonForms(value: string): readonly string[] {
  const plain = JSON.stringify(value).slice(1, -1);
  const ascii = plain.replaceAll(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return [plain, ascii].flatMap((form) => [form, form.replaceAll('/', '\\/')]);
}

/** The bytes of a text as UTF-8 and, where it has such, as Latin-1; each byte as one character. */
function bytesOf(text: string): readonly string[] {
  const utf8 = Buffer.from(text, 'utf8').toString('latin1');
  return /[^\0-\u00ff]/.test(text) ? [utf8] : [utf8, text];
}

function hostMatches(pattern: string, host: string): boolean {
  const wanted = pattern.toLowerCase();
  const actual = host.toLowerCase();
  return wanted.startsWith('*.') ? actual.endsWith(wanted.slice(1)) : actual === wanted;
}
