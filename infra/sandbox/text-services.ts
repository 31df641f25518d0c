/** Text work that the engine does not offer inside a context, done by the process on strings: URLs, encodings, base64. */

const URL_PARTS = [
  'protocol',
  'username',
  'password',
  'host',
  'hostname',
  'port',
  'pathname',
  'search',
  'hash',
] as const;

/** @returns the answer to a text operation, or undefined when `name` is none. */
export function textService(name: string, first: string, ...rest: readonly unknown[]): string | null | undefined {
  switch (name) {
    case 'url':
      return partsOf(parseUrl(first, rest[0]));
    case 'urlSet':
      return changeUrl(first, String(rest[0]), String(rest[1]));
    case 'query':
      return JSON.stringify([...new URLSearchParams(first)]);
    case 'queryText':
      return new URLSearchParams(JSON.parse(first) as [string, string][]).toString();
    case 'encode':
      return Buffer.from(first, 'utf8').toString('base64');
    case 'decode':
      return decode(Buffer.from(first, 'base64'), String(rest[0]), rest[1] === true, rest[2] === true);
    case 'encoding':
      return decoder(first, false, false)?.encoding ?? '';
    case 'atob':
      return attempt(() => atob(first));
    case 'btoa':
      return attempt(() => btoa(first));
    default:
      return undefined;
  }
}

function attempt<Value>(work: () => Value): Value | null {
  try {
    return work();
  } catch {
    return null;
  }
}

function parseUrl(input: string, base: unknown): URL | null {
  return typeof base === 'string' && base !== '' ? URL.parse(input, base) : URL.parse(input);
}

function partsOf(url: URL | null): string {
  if (url === null) return '';
  const parts: Record<string, string> = { href: url.href, origin: url.origin };
  for (const part of URL_PARTS) parts[part] = url[part];
  return JSON.stringify(parts);
}

function changeUrl(href: string, name: string, value: string): string {
  if (name === 'href') return partsOf(parseUrl(value, undefined));
  const url = new URL(href);
  const part = URL_PARTS.find((known) => known === name);
  if (part !== undefined) url[part] = value;
  return partsOf(url);
}

function decoder(label: string, fatal: boolean, ignoreBOM: boolean): TextDecoder | null {
  return attempt(() => new TextDecoder(label, { fatal, ignoreBOM }));
}

function decode(bytes: Buffer, label: string, fatal: boolean, ignoreBOM: boolean): string | null {
  return attempt(() => decoder(label, fatal, ignoreBOM)?.decode(bytes) ?? null);
}
