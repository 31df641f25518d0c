/** Writes the reference page of the configuration from the schema, so that the page can not differ from what is accepted. */
import { STRUCTURED_VARIABLES, VARIABLES } from './environment.ts';
import type { FieldDoc } from './fields.ts';
import { schema } from './schema.ts';
import { SPELLINGS } from './spellings.ts';
import { inUnits } from './units.ts';
import { documentation, knownKeys, type KnownKey } from './walk.ts';

const INTRODUCTION = `# Configuration reference

This page is generated from the schema (\`config/reference.ts\`); a test keeps it equal.

- A value comes from a flag, else the environment, else the file given with \`--config\`, else its default. \`ratchet config show\` tells which.
- With \`RATCHET_ENV\` (else \`NODE_ENV\`) set to \`staging\`, the file \`config.staging.yaml\` beside \`config.yaml\` is laid over it, key by key; lists are replaced as a whole.
- \`\${NAME}\` in a text is filled in from the environment, \`\${NAME:-default}\` with a default; \`$\${\` is a literal \`\${\`. A variable that is not set is an error, except inside an \`api_keys\` entry, which it disables.
- Durations: a bare number counts seconds, or milliseconds where the key ends in \`_ms\`; or write \`"500ms"\`, \`"5s"\`, \`"10m"\`, \`"24h"\`, \`"7d"\`. Sizes: bytes, or \`"512KB"\`, \`"10MB"\` (10 × 1024 × 1024), \`"1GB"\`. Rates: a number per minute, or \`"10/minute"\`, \`"5/second"\`, \`"100/hour"\`.
- Relative paths start at the folder of the file. An unknown key is an error that names the nearest known one.
- \`production\` refuses auth type \`none\`, keys from public documents, and the CORS origin \`"*"\` with credentials on an address other machines can reach.
`;

/** @returns the page as Markdown. */
export function configurationReference(): string {
  const keys = [...knownKeys(schema)];
  const tables = keys.filter(({ path }) => !path.includes('.')).map((top) => sectionTable(top, keys));
  return [INTRODUCTION, ...tables, variableTable(), spellingTable()].join('\n');
}

function sectionTable(top: KnownKey, keys: readonly KnownKey[]): string {
  const rows = keys.filter(({ path, node, schema: field }) => {
    const inside = path === top.path || path.startsWith(`${top.path}.`);
    const shown = node.kind === 'value' || (node.kind !== 'section' && documentation(field)?.expects !== undefined);
    return inside && shown;
  });
  const head = `## ${top.path}\n\n${documentation(top.schema)?.meaning ?? ''}\n\n| key | expects | default | meaning |\n|---|---|---|---|\n`;
  return `${head}${rows.map(row).join('')}`;
}

function row({ path, node, schema: field }: KnownKey): string {
  const doc = documentation(field);
  const expects = node.kind === 'list' ? `list: ${doc?.expects ?? ''}` : (doc?.expects ?? '');
  return `| \`${path}\` | ${cell(expects)} | ${cell(fallbackOf(doc))} | ${cell(doc?.meaning ?? '')} |\n`;
}

function fallbackOf(doc: FieldDoc | undefined): string {
  if (doc?.fallbackNote !== undefined) return doc.fallbackNote;
  if (doc?.fallback === undefined) return 'required';
  if (doc.fallback === null) return 'none';
  const shown = inUnits(doc.fallback, doc.unit);
  return `\`${JSON.stringify(shown)}\``;
}

function variableTable(): string {
  const rows = [...VARIABLES, ...STRUCTURED_VARIABLES].map(
    ({ name, paths }) =>
      `| \`${name}\` | ${paths.map((path) => `\`${path.replace('mcp.caller_key', 'the key presented over stdio')}\``).join(', ')} |\n`,
  );
  return `## Environment variables\n\nAn empty variable counts as not set. \`RATCHET_HOME\` names the data folder.\n\n| variable | sets |\n|---|---|\n${rows.join('')}`;
}

function spellingTable(): string {
  const rows = Object.entries(SPELLINGS).map(([from, to]) => `| \`${from}\` | \`${to}\` |\n`);
  const further =
    '| `mcp.bind_address`, `server.bind_address` | `host` and `port` beside it |\n| `logging.sinks[].use_json` | `logging.sinks[].format` |\n';
  return `## Accepted spellings\n\nA key below one of these moves with it.\n\n| written | means |\n|---|---|\n${rows.join('')}${further}`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
