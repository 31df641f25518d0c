/** Reads YAML text into a tree that remembers every line, and tells about keys written twice. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document } from 'yaml';
import type { ConfigProblem } from './error.ts';
import { join, type Origin, type Place, type Section, type Tree } from './tree.ts';

export interface YamlSource {
  readonly tree: Section;
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly string[];
}

const MAX_BYTES = 1024 * 1024;
/** Anchors may repeat each other; this bounds what a small file can blow up to. */
const MAX_NODES = 100_000;
const MAX_DEPTH = 32;

interface Reading {
  readonly document: Document;
  readonly lines: LineCounter;
  readonly file: string;
  readonly folder: string;
  readonly kind: 'file' | 'overlay';
  readonly problems: ConfigProblem[];
  readonly warnings: string[];
  nodes: number;
}

/**
 * Parses one configuration file. Mistakes of syntax come back as problems; a key written twice is a warning and the last
 * one counts; an empty value counts as not written.
 */
export function readYaml(text: string, file: string, folder: string, kind: 'file' | 'overlay'): YamlSource {
  const place: Place = { origin: { kind, file, line: 1 }, folder, written: '' };
  const empty: Section = { kind: 'section', entries: new Map(), place };
  const refused = (message: string, line = 1): YamlSource => ({
    tree: empty,
    problems: [{ message, file, line }],
    warnings: [],
  });
  if (Buffer.byteLength(text) > MAX_BYTES) return refused('the file is larger than 1 MB; a configuration is small');
  const lines = new LineCounter();
  let document: Document;
  try {
    document = parseDocument(text, { uniqueKeys: false, lineCounter: lines, logLevel: 'silent' });
  } catch {
    return refused('the file can not be read as YAML; it is nested too deeply');
  }
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => ({
      message: `this is not YAML: ${error.message.split('\n')[0] ?? error.code}`,
      file,
      line: lines.linePos(error.pos[0]).line,
    }));
    return { tree: empty, problems, warnings: [] };
  }
  const reading: Reading = { document, lines, file, folder, kind, problems: [], warnings: [], nodes: 0 };
  const tree = convert(reading, document.contents, place, 0);
  if (tree !== undefined && tree.kind !== 'section')
    return refused('expected sections such as `database:`, got something else');
  return { tree: tree ?? empty, problems: reading.problems, warnings: reading.warnings };
}

function convert(reading: Reading, node: unknown, place: Place, depth: number): Tree | undefined {
  reading.nodes += 1;
  if (depth > MAX_DEPTH || reading.nodes > MAX_NODES) {
    if (reading.problems.length === 0) {
      reading.problems.push({
        message: 'the file is nested too deeply or repeats itself too often',
        ...lineOf(place.origin),
      });
    }
    return undefined;
  }
  if (isAlias(node)) return convert(reading, node.resolve(reading.document), place, depth + 1);
  if (isMap(node)) return convertMap(reading, node.items, place, depth);
  if (isSeq(node)) {
    const items = node.items.flatMap((item, index) => {
      const written = `${place.written}[${index}]`;
      const tree = convert(reading, item, { ...place, origin: originOf(reading, item, place), written }, depth + 1);
      return tree === undefined ? [] : [tree];
    });
    return { kind: 'list', items, place };
  }
  if (!isScalar(node)) return undefined;
  const { value } = node;
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') {
    return { kind: 'leaf', value, place };
  }
  if (value !== null && value !== undefined) {
    reading.problems.push({
      message: 'expected text, a number or true/false',
      path: place.written,
      ...lineOf(place.origin),
    });
  }
  return undefined;
}

function convertMap(
  reading: Reading,
  items: readonly { readonly key: unknown; readonly value: unknown }[],
  place: Place,
  depth: number,
): Section {
  const entries = new Map<string, Tree>();
  const seen = new Map<string, number>();
  for (const { key: keyNode, value } of items) {
    const origin = originOf(reading, keyNode, place);
    const line = lineOf(origin).line;
    const plain = isScalar(keyNode) ? keyNode.value : undefined;
    const key = typeof plain === 'string' || typeof plain === 'number' ? String(plain) : undefined;
    if (key === undefined || key === '__proto__') {
      reading.problems.push({ message: 'a key must be plain text', path: place.written, file: reading.file, line });
      continue;
    }
    const written = join(place.written, key);
    const before = seen.get(key);
    if (before !== undefined) {
      reading.warnings.push(
        `${reading.file}: ${written} is written twice, on line ${before} and on line ${line}; the last one counts`,
      );
    }
    seen.set(key, line);
    const tree = convert(reading, value, { ...place, origin, written }, depth + 1);
    if (tree === undefined) entries.delete(key);
    else entries.set(key, tree);
  }
  return { kind: 'section', entries, place };
}

function originOf(reading: Reading, node: unknown, parent: Place): Origin {
  const offset = isMap(node) || isSeq(node) || isScalar(node) || isAlias(node) ? node.range?.[0] : undefined;
  if (offset === undefined) return parent.origin;
  return { kind: reading.kind, file: reading.file, line: reading.lines.linePos(offset).line };
}

function lineOf(origin: Origin): { file: string; line: number } {
  return origin.kind === 'file' || origin.kind === 'overlay'
    ? { file: origin.file, line: origin.line }
    : { file: '', line: 0 };
}
