/** What the mcp section makes of the tools: which are offered, and how much they answer. */
import { describe, expect, it } from 'vitest';
import { mcpSettings } from '../../src/cli/mcp-settings.ts';
import { LOCAL_ADMIN } from '../../src/domain/access.ts';
import { Toolbox } from '../../src/interfaces/mcp/toolbox.ts';
import { TOOLS } from '../../src/interfaces/mcp/tools.ts';
import { load } from './support.ts';

const settingsOf = (yaml: string) => mcpSettings(load(yaml).config, false).tools;
const offered = (yaml: string) => new Toolbox(TOOLS, settingsOf(yaml)).names(LOCAL_ADMIN);

describe('the configuration', () => {
  it.each([
    ['enable_execution', ['execute_task', 'cancel_execution', 'replay_execution']],
    ['enable_logging', ['get_execution_logs']],
    ['enable_monitoring', ['list_executions', 'get_execution_status', 'get_execution_trace', 'get_audit_trail']],
    ['enable_debugging', ['analyze_execution_error', 'compare_executions', 'debug_task_execution']],
  ])('switches off the tools of %s', (key, tools) => {
    const all = offered('');
    const left = offered(`mcp: { tools: { ${key}: false } }`);
    expect(all).toEqual(expect.arrayContaining(tools));
    for (const tool of tools) expect(left).not.toContain(tool);
    expect(left).toContain('list_available_tasks');
  });

  it('bounds what tools answer, and how long answers are kept', () => {
    const given = 'mcp: { security: { max_output_size: 1MB, max_log_entries: 7 }, performance: { log_cache_ttl: 10 } }';
    expect(settingsOf(given)).toMatchObject({ maxOutputBytes: 1_048_576, maxLogEntries: 7, logCacheTtlMs: 10_000 });
  });
});
