import { readFileSync, writeFileSync } from 'node:fs';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { describe, expect, it } from 'vitest';
import { INSTRUCTIONS } from '../../../src/interfaces/mcp/instructions.ts';
import { TOOLS } from '../../../src/interfaces/mcp/tools.ts';

/** Rewritten by `UPDATE_MCP_TOOLS=1`; a difference in it is a difference for every agent. */
const GOLDEN = new URL('../../golden/mcp-tools.json', import.meta.url);
const LISTED = TOOLS.map(({ listed }) => listed);

describe('definitions of tools', () => {
  it('are those that were agreed on', () => {
    const text = `${JSON.stringify(LISTED, null, 2)}\n`;
    if (process.env['UPDATE_MCP_TOOLS'] === '1') writeFileSync(GOLDEN, text);
    expect(readFileSync(GOLDEN, 'utf8')).toBe(text);
  });

  it('cost at most 8,000 tokens together', () => {
    expect(LISTED.length).toBeLessThanOrEqual(20);
    expect(countTokens(JSON.stringify(LISTED))).toBeLessThanOrEqual(8_000);
  });

  it('come with instructions that clients do not cut, and that name only tools that are there', () => {
    expect(INSTRUCTIONS.length).toBeLessThanOrEqual(2_000);
    const named = INSTRUCTIONS.match(/\b[a-z]+_[a-z_]+\b/g) ?? [];
    const words = ['max_tokens', 'next_cursor', 'test_cases', 'base_version', 'last_failed', 'last_success'];
    const known = [...LISTED.map(({ name }) => name), ...words];
    expect(named.filter((name) => !known.includes(name))).toEqual([]);
  });

  it('have names of their own', () => {
    expect(new Set(LISTED.map(({ name }) => name)).size).toBe(LISTED.length);
  });

  describe.each(LISTED.map((tool) => ({ tool, name: tool.name })))('$name', ({ tool }) => {
    it('has a name that every client takes', () => expect(tool.name).toMatch(/^[a-z][a-z0-9_]{0,39}$/));

    it('costs at most 600 tokens', () => {
      expect(countTokens(JSON.stringify(tool))).toBeLessThanOrEqual(600);
    });

    it('has a short description whose first sentence stands alone', () => {
      const text = tool.description ?? '';
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(2_048);
      const [first = ''] = text.split(/(?<=[.])\s/);
      expect(first).toMatch(/^[A-Z].{20,}\.$/);
    });

    it('says all four hints', () => {
      const { title, ...hints } = tool.annotations ?? {};
      expect(title).toBe(tool.title);
      expect(Object.keys(hints).sort()).toEqual(['destructiveHint', 'idempotentHint', 'openWorldHint', 'readOnlyHint']);
      expect(Object.values(hints).every((hint) => typeof hint === 'boolean')).toBe(true);
    });
  });
});
