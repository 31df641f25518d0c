/** Writes a configuration file with every key, its meaning and its default, all commented out, to begin one's own from. */
import type { FieldDoc } from './fields.ts';
import { schema } from './schema.ts';
import { inUnits } from './units.ts';
import { documentation, type KnownKey, knownKeys } from './walk.ts';

const INTRODUCTION = `## Configuration of Ratchet. Everything is commented out and shows its default: take away "# " from a key and from
## the sections above it to set it. "ratchet config validate" says what is wrong, "config show" where each value comes from.
`;

/** @returns YAML that sets nothing; with "# " taken away from each line that begins so, it sets every key that has a default. What stands behind "## " has none. */
export function generatedConfig(): string {
  const keys = [...knownKeys(schema)].filter(({ path }) => !/\[\]|<name>/.test(path));
  const optional = keys.filter(({ node }) => node.kind === 'section' && node.absent === 'null').map(({ path }) => path);
  const isOptional = (path: string) => optional.some((whole) => path === whole || path.startsWith(`${whole}.`));
  const lines = keys.flatMap((key) => {
    const written = linesOf(key);
    // A section that is not there by default would be there with its first key.
    return isOptional(key.path) ? written.map((line) => line.replace(/^# /, '## ')) : written;
  });
  return [INTRODUCTION, ...lines].join('\n').concat('\n');
}

function linesOf({ path, node, schema: field }: KnownKey): readonly string[] {
  const depth = path.split('.').length - 1;
  const indent = '  '.repeat(depth);
  const key = path.slice(path.lastIndexOf('.') + 1);
  const doc = documentation(field);
  const meaning = `## ${indent}${doc?.meaning ?? ''}${forms(doc)}`;
  if (node.kind === 'section') return [...(depth === 0 ? [''] : []), meaning, `# ${indent}${key}:`];
  if (node.kind === 'named') return [...(depth === 0 ? [''] : []), meaning, `# ${indent}${key}: {}`];
  if (node.kind === 'list') return [meaning, `## ${indent}${key}: []`];
  return [
    meaning,
    doc?.fallback === undefined || doc.fallback === null ? `## ${indent}${key}:` : setting(indent, key, doc),
  ];
}

function setting(indent: string, key: string, doc: FieldDoc): string {
  return `# ${indent}${key}: ${JSON.stringify(inUnits(doc.fallback, doc.unit))}`;
}

function forms(doc: FieldDoc | undefined): string {
  const expects = doc?.expects === undefined ? '' : ` Takes ${doc.expects}.`;
  return doc?.fallbackNote === undefined ? expects : `${expects} Unset: ${doc.fallbackNote}.`;
}
