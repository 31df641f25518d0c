import { describe, expect, it } from 'vitest';
import { wantsColors } from '../../config/terminal.ts';
import { colored, colorsFor } from '../../src/cli/colors.ts';
import { openHome, ratchet } from '../support/server.ts';

const TERMINAL = { isTTY: true };
const PIPE = {};

describe('colours', () => {
  it.each([
    ['a terminal', TERMINAL, {}, true],
    ['a pipe', PIPE, {}, false],
    ['a pipe on a build machine', PIPE, { CI: 'true' }, false],
    ['a dumb terminal', TERMINAL, { TERM: 'dumb' }, false],
    ['a terminal with NO_COLOR', TERMINAL, { NO_COLOR: '1' }, false],
    ['a terminal with an empty NO_COLOR', TERMINAL, { NO_COLOR: '' }, true],
    ['a pipe with FORCE_COLOR', PIPE, { FORCE_COLOR: '1' }, true],
    ['a terminal with FORCE_COLOR=0', TERMINAL, { FORCE_COLOR: '0' }, false],
    ['both variables', TERMINAL, { NO_COLOR: '1', FORCE_COLOR: '1' }, false],
  ])('of %s', (_, stream, env, expected) => {
    expect(wantsColors(stream, env)).toBe(expected);
  });

  it('are on the word that a line begins with, and change nothing else', () => {
    const report = 'ok    one\nFAIL  two: failed\nundecided: ok\nokay';
    const { green, red, yellow } = colorsFor(true);
    const told = [`${green('ok')}    one`, `${red('FAIL')}  two: failed`, `${yellow('undecided')}: ok`, 'okay'];
    expect(colored(report, colorsFor(true))).toBe(told.join('\n'));
    expect(colored(report, colorsFor(false))).toBe(report);
  });

  it('are in errors and help of the program only where they are wanted', async () => {
    using home = openHome();
    const [plain, forced, help, helped] = await Promise.all([
      ratchet(home, ['token', 'create', '--name', 'a', '--role', 'king']),
      ratchet(home, ['token', 'create', '--name', 'a', '--role', 'king'], { env: { FORCE_COLOR: '1' } }),
      ratchet(home, ['--help'], { env: { FORCE_COLOR: '1', NO_COLOR: '1' } }),
      ratchet(home, ['--help'], { env: { FORCE_COLOR: '1' } }),
    ]);
    const hasColors = [plain.stderr, forced.stderr, help.stdout, helped.stdout].map((text) => text.includes('\u001b['));
    expect(hasColors).toEqual([false, true, false, true]);
  });
});
