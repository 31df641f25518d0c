/** Tells the network of the machine that the server runs on. */
import { z } from 'zod';
import { fitItems } from '../fit.ts';
import { defineReadingTool, maxTokens, readingOutput } from '../reading-tool.ts';

const found = z.object({ interfaces: z.array(z.looseObject({})) });

export const networkInterfacesTool = defineReadingTool({
  name: 'network_interfaces',
  title: 'List network interfaces',
  description: 'Lists the network interfaces of the machine that the server runs on, with their addresses.',
  toolset: 'always',
  permission: 'access_system_info',
  input: z.strictObject({ max_tokens: maxTokens }),
  output: z.looseObject({ interfaces: z.array(z.unknown()), total: z.number(), ...readingOutput }),
  run: async (call, { max_tokens }) => {
    const { interfaces } = found.parse(await call.ask('network_interfaces', {}));
    return fitItems(max_tokens, {
      items: interfaces,
      build: (kept, isWhole) => ({
        interfaces: kept,
        total: interfaces.length,
        truncated: !isWhole,
        omitted: isWhole
          ? null
          : { count: interfaces.length - kept.length, reason: `to stay within max_tokens ${max_tokens}` },
      }),
    });
  },
});
