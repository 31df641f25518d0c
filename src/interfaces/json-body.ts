/** Reads JSON bodies at the door: bounded in depth, and without keys through which a value could reach prototypes. */
import { RatchetError } from '../domain/errors.ts';

/** Deeper than anything people write, and far from where code that walks values runs out of stack. */
const MAX_DEPTH = 128;
const REFUSED_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor']);

/** @returns the value. Fails with `invalid_json`, saying where. */
export function readJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw refused(`the body is not JSON: ${reasonOf(cause)}`, '');
  }
  checkJson(value);
  return value;
}

/** The parser shows what stands around the place; that may be a secret. */
const AROUND = /, (?:\.\.\.)?".*"(?:\.\.\.)? is not valid JSON$/s;

function reasonOf(cause: unknown): string {
  const said = cause instanceof Error ? cause.message : String(cause);
  return said.startsWith('"') ? 'it is no value of JSON' : said.replace(AROUND, '');
}

interface Found {
  readonly value: object;
  readonly path: string;
  readonly depth: number;
}

/** Fails with `invalid_json` for a value nested too deep, or with a key that is not taken. */
export function checkJson(root: unknown): void {
  if (typeof root !== 'object' || root === null) return;
  const open: Found[] = [{ value: root, path: '', depth: 1 }];
  for (let found = open.pop(); found !== undefined; found = open.pop()) {
    const { value, path, depth } = found;
    if (depth > MAX_DEPTH) throw refused(`the body is nested more than ${MAX_DEPTH} deep`, path.slice(0, 200));
    const isList = Array.isArray(value);
    for (const [key, inner] of Object.entries(value)) {
      if (!isList && REFUSED_KEYS.has(key)) throw refused(`the key ${key} is not taken`, `${path}/${key}`);
      if (typeof inner === 'object' && inner !== null)
        open.push({ value: inner, path: `${path}/${key}`, depth: depth + 1 });
    }
  }
}

function refused(message: string, path: string): RatchetError {
  const place = path === '' ? '' : ` (at ${path})`;
  return new RatchetError('invalid_json', `${message}${place}`, path === '' ? {} : { details: { path } });
}
