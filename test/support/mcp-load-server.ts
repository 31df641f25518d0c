/**
 * The MCP listener as `ratchet mcp` opens it, in a process that tells what it weighs: over IPC it takes `weigh` and answers the
 * resident memory in MB after a full collection of garbage. Argument: the configuration file. Ends when it is disconnected.
 */
import { availableParallelism } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { pino } from 'pino';
import { loadConfig } from '../../config/load.ts';
import { startMcp } from '../../src/cli/mcp.ts';
import { mcpAccess } from '../../src/cli/mcp-settings.ts';
import { appSettings, mcpListenSettings } from '../../src/cli/settings.ts';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

const { config } = loadConfig({ file: process.argv[2] ?? '', env: process.env, cwd: process.cwd() });
const settings = appSettings(config, pino({ level: 'silent' }), availableParallelism());
const listener = await startMcp({ ...settings, access: mcpAccess(config) }, mcpListenSettings(config, false, '0.0.0'));

process.on('message', () => {
  collect();
  // What finalizers let go of in the first round is given back in the second.
  setImmediate(() => {
    collect();
    process.send?.({ megabytes: process.memoryUsage.rss() / 1e6 });
  });
});
process.once('disconnect', () => void listener.close().then(() => process.exit()));
process.send?.({ url: listener.url });
