import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import { openHome, ratchet } from '../support/server.ts';

const scripts = new Map<string, string>();
beforeAll(async () => {
  using home = openHome();
  const shells = ['bash', 'zsh', 'fish'];
  const told = await Promise.all(shells.map((shell) => ratchet(home, ['completion', shell])));
  for (const [index, shell] of shells.entries()) scripts.set(shell, told[index]?.stdout ?? '');
  expect(told.map(({ code }) => code)).toEqual([0, 0, 0]);
});

const hasShell = (shell: string): boolean => spawnSync(shell, ['--version']).error === undefined;

/** What bash would offer after these words, the last of which is being written. */
function offered(...words: string[]): string[] {
  const list = ['ratchet', ...words].map((word) => `'${word}'`).join(' ');
  const code = `${scripts.get('bash')}\nCOMP_WORDS=(${list})\nCOMP_CWORD=${words.length}\n_ratchet\nprintf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', code], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout
    .trim()
    .split('\n')
    .toSorted((a, b) => a.localeCompare(b));
}

describe.skipIf(!hasShell('bash'))('in bash', () => {
  it('commands, options and values are completed where they may stand', () => {
    expect(offered('sched')).toEqual(['schedule']);
    expect(offered('schedule', 'd')).toEqual(['delete', 'disable']);
    expect(offered('trace', 'id', '--format', 'f')).toEqual(['flamegraph', 'folded']);
    expect(offered('replay', 'id', '--patch')).toEqual(['--patch', '--patch-from']);
    expect(offered('completion', '')).toEqual(expect.arrayContaining(['bash', 'fish', 'zsh']));
    expect(offered('--config', 'x.yaml', 'config', 's')).toEqual(['show']);
    expect(offered('serve', '--')).toEqual(
      expect.arrayContaining(['--config', '--help', '--host', '--json', '--port']),
    );
  });
});

describe('the scripts', () => {
  it.each(['bash', 'zsh', 'fish'])('of %s name every command', (shell) => {
    const script = scripts.get(shell) ?? '';
    for (const word of ['serve', 'run-once', 'schedule', 'trigger', 'projections', 'speedscope', 'token']) {
      expect(script, word).toContain(word);
    }
  });

  it.each(['zsh', 'fish'].filter(hasShell))('of %s are accepted by their shell', (shell) => {
    const { status, stderr } = spawnSync(shell, ['-n'], { input: scripts.get(shell), encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
  });

  it('are made for known shells alone', async () => {
    using home = openHome();
    const { code, stderr } = await ratchet(home, ['completion', 'csh']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('bash, zsh, fish')]);
  });
});
