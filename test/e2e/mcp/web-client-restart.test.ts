import { expect, it } from 'vitest';
import { type Progress, RatchetMCPClient } from '../../../src/clients/web/index.ts';
import { startMcpProcess } from '../../support/mcp-process.ts';
import { openHome } from '../../support/server.ts';
import { openSteadyFront } from '../../support/steady-front.ts';

const TELLS = `export default async function main() {
  const first = await step('first', () => 'before');
  for (let n = 1; n <= 6; n += 1) { reportProgress({ progress: n / 10 }); await sleep(500); }
  return [first, 'after'];
}`;

it.concurrent.each([
  ['http', 'kill'],
  ['http', 'stop'],
  ['sse', 'kill'],
] as const)(
  'a task that is waited for over %s survives the %s of its server',
  { timeout: 90_000 },
  async (transport, end) => {
    using home = openHome();
    home.file('tasks/tells/metadata.json', JSON.stringify({ name: 'tells', version: '1.0.0' }));
    home.file('tasks/tells/main.js', TELLS);
    await using first = await startMcpProcess(home);
    await using front = await openSteadyFront(first.url);
    const client = new RatchetMCPClient({ baseUrl: front.url, transport });
    const begun = Promise.withResolvers<string>();
    const onProgress = ({ executionId }: Progress): void => {
      if (executionId !== null) begun.resolve(executionId);
    };
    const waited = client.executeTask('tells', {}, { onProgress });
    const executionId = await begun.promise;
    front.point(null);
    await first[end]();
    await using second = await startMcpProcess(home);
    front.point(second.url);
    expect(await waited).toMatchObject({
      execution_id: executionId,
      status: 'completed',
      output: ['before', 'after'],
    });
    client.close();
  },
);
