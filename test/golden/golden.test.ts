import { describe, expect, it } from 'vitest';
import { readRecording, restoreRecording } from '../../src/cli/recording.ts';
import { openTestApp } from '../support/app.ts';
import { FEATURES } from './features.ts';

describe('recordings made once are replayed for ever', () => {
  it.each(FEATURES)('$name', async ({ name }) => {
    const recording = readRecording(new URL(`./${name}`, import.meta.url).pathname);
    await using test = await openTestApp({ runs: false, outboundAllow: [] });
    await restoreRecording(recording, test.app.store);
    await test.app.directory.reach(await test.app.store.head());
    const replayed = await test.call('replay_execution', { execution_id: recording.executionId });
    expect(replayed).toMatchObject({ identical: true, differences: [] });
  });
});
