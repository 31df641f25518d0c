import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PROJECTIONS } from '../projections/index.ts';
import { TABLES } from '../projections/read-models.ts';
import { ERRORS } from '../src/domain/errors.ts';
import { OPERATIONS } from '../src/interfaces/operations.ts';
import { ROUTES } from '../src/interfaces/surfaces.ts';
import { IDS, PROVEN, REQUIREMENTS } from './requirements.ts';
import { missingTests } from './support/proofs.ts';

const ROOT = new URL('..', import.meta.url).pathname;
const FOLDERS = ['src', 'commands', 'projections', 'queries', 'infra', 'config'];

function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(folder, file));
}

interface Cruise {
  readonly summary: {
    readonly totalCruised: number;
    readonly violations: readonly {
      readonly rule: { readonly name: string };
      readonly from: string;
      readonly to: string;
    }[];
  };
}

describe('dependencies', () => {
  const args = ['--config', 'test/architecture.rules.cjs', '--output-type', 'json', ...FOLDERS];
  const binary = join(ROOT, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs');
  const ran = spawnSync(process.execPath, [binary, ...args], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  const { summary }: Cruise = JSON.parse(ran.stdout);

  it('are read at all: the tool says nothing when it finds no modules', () => {
    expect(summary.totalCruised).toBeGreaterThan(150);
  });
  it('follow the rules between folders', () => {
    expect(summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`)).toEqual([]);
  });
});

describe('modules', () => {
  it.each(FOLDERS.flatMap(filesBelow))('%s opens with a sentence on why it exists', (file) => {
    const text = readFileSync(join(ROOT, file), 'utf8');
    expect(text.replace(/^#!.*\n/, '')).toMatch(/^\/\*\*? ?\S/);
  });
});

describe('errors', () => {
  it('are documented exactly as the table says', () => {
    const rows = Object.entries(ERRORS).map(
      ([code, { status, fault, remedy }]) => `| \`${code}\` | ${status} | ${fault} | ${remedy} |`,
    );
    const documented = readFileSync(join(ROOT, 'docs/errors.md'), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('| `'));
    expect(documented).toEqual(rows);
  });
});

describe('operations', () => {
  it('have names that are theirs alone', () => {
    const names = OPERATIONS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
  it('are all reachable over REST, and every route names one', () => {
    expect([...new Set(ROUTES.map(({ operation }) => operation))].sort()).toEqual(
      OPERATIONS.map(({ name }) => name).sort(),
    );
  });
});

describe('read models', () => {
  it('are each kept by exactly one projection', () => {
    expect(PROJECTIONS.flatMap(({ tables }) => tables).sort()).toEqual(Object.keys(TABLES).sort());
  });
});

describe('requirements', () => {
  it('in the map are ids that exist', () => {
    expect(Object.keys(REQUIREMENTS).filter((id) => !IDS.includes(id))).toEqual([]);
  });
  it('that are proven name tests that exist', () => {
    expect(missingTests(REQUIREMENTS)).toEqual([]);
  });
  it('of resolved issues are not open', () => {
    expect(PROVEN.filter((id) => (REQUIREMENTS[id] ?? []).length === 0)).toEqual([]);
  });
});
