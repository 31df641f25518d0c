/** `ratchet completion`: a script that completes commands, options and their values in a shell, made of the commands themselves. */
import type { Command } from 'commander';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

interface Flag {
  /** Such as `--format`. */
  readonly name: string;
  readonly description: string;
  /** Null: any text or file; empty: the option takes no value. */
  readonly values: readonly string[] | null;
}

/** What may come after some commands. */
interface Place {
  /** Such as `config show`; empty at the beginning. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly flags: readonly Flag[];
  /** Words that its arguments may be. */
  readonly words: readonly string[];
}

/** @returns the script for `shell`; its user loads it from the start-up file of the shell. */
export function completionScript(root: Command, shell: Shell): string {
  const places = placesOf(root, '', flagsOf(root));
  const name = root.name();
  switch (shell) {
    case 'bash':
      return bash(name, places);
    case 'zsh':
      return zsh(name, places);
    case 'fish':
      return fish(name, places);
    default:
      return shell satisfies never;
  }
}

function placesOf(command: Command, path: string, globals: readonly Flag[]): readonly Place[] {
  const own = path === '' ? [] : flagsOf(command);
  const help: Flag = { name: '--help', description: 'display help', values: [] };
  const below = command.commands.map((child) => ({ name: child.name(), description: child.description() }));
  const words = command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []);
  const here: Place = { path, commands: below, flags: [...own, ...globals, help], words };
  const children = command.commands.flatMap((child) => placesOf(child, joined(path, child.name()), globals));
  return [here, ...children];
}

function flagsOf(command: Command): readonly Flag[] {
  return command.options.flatMap(({ long, description, argChoices, required, optional }) => {
    const values = required || optional ? (argChoices ?? null) : [];
    return typeof long === 'string' ? [{ name: long, description, values }] : [];
  });
}

const joined = (path: string, word: string): string => (path === '' ? word : `${path} ${word}`);
const candidates = ({ commands, flags, words }: Place): readonly string[] => [
  ...commands.map(({ name }) => name),
  ...words,
  ...flags.map(({ name }) => name),
];
/** A text that a shell takes as it is. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** One `case` branch for each option with a value: its values, else `files`. */
function valueBranches(
  places: readonly Place[],
  values: (list: readonly string[]) => string,
  files: string,
): readonly string[] {
  return places.flatMap(({ path, flags }) =>
    flags
      .filter(({ values: known }) => known === null || known.length > 0)
      .map(
        (flag) =>
          `    ${quoted(`${path}:${flag.name}`)}) ${flag.values === null ? files : values(flag.values)}; return ;;`,
      ),
  );
}

/** Follows the words up to the cursor, as far as they are commands. */
function walk(places: readonly Place[], word: string): string {
  const paths = places.filter(({ path }) => path !== '').map(({ path }) => quoted(path));
  return `    case "\${at:+$at }${word}" in ${paths.join('|')}) at="\${at:+$at }${word}" ;; esac`;
}

function bash(name: string, places: readonly Place[]): string {
  const complete = (list: readonly string[]): string => `COMPREPLY=($(compgen -W ${quoted(list.join(' '))} -- "$cur"))`;
  return [
    `# Load it with: source <(${name} completion bash)`,
    `_${name}() {`,
    '  local cur="${COMP_WORDS[COMP_CWORD]}" at="" i',
    '  for ((i = 1; i < COMP_CWORD; i++)); do',
    walk(places, '${COMP_WORDS[i]}'),
    '  done',
    '  case "$at:${COMP_WORDS[COMP_CWORD-1]}" in',
    ...valueBranches(places, complete, 'COMPREPLY=($(compgen -f -- "$cur"))'),
    '  esac',
    '  case "$at" in',
    ...places.map((place) => `    ${quoted(place.path)}) ${complete(candidates(place))} ;;`),
    '  esac',
    '}',
    `complete -o default -F _${name} ${name}`,
    '',
  ].join('\n');
}

function zsh(name: string, places: readonly Place[]): string {
  const entry = (word: string, description: string): string => quoted(`${word.replaceAll(':', '\\:')}:${description}`);
  const entries = ({ commands, flags, words }: Place): string =>
    [
      ...commands.map((command) => entry(command.name, command.description)),
      ...words.map((word) => entry(word, '')),
      ...flags.map((flag) => entry(flag.name, flag.description)),
    ].join(' ');
  return [
    `#compdef ${name}`,
    `# Load it with: source <(${name} completion zsh)`,
    `_${name}() {`,
    '  local at="" i',
    '  local -a entries',
    '  for ((i = 2; i < CURRENT; i++)); do',
    walk(places, '${words[i]}'),
    '  done',
    '  case "$at:${words[CURRENT-1]}" in',
    ...valueBranches(places, (list) => `compadd -- ${list.map(quoted).join(' ')}`, '_files'),
    '  esac',
    '  case "$at" in',
    ...places.map((place) => `    ${quoted(place.path)}) entries=(${entries(place)}) ;;`),
    '  esac',
    `  _describe ${quoted(name)} entries || _files`,
    '}',
    `compdef _${name} ${name}`,
    '',
  ].join('\n');
}

function fish(name: string, places: readonly Place[]): string {
  const paths = places.filter(({ path }) => path !== '').map(({ path }) => quoted(path));
  const lines = places.flatMap((place) => {
    const here = `complete -c ${name} -n ${quoted(`__${name}_at ${quoted(place.path)}`)}`;
    return [
      ...place.commands.map((command) => `${here} -f -a ${quoted(command.name)} -d ${quoted(command.description)}`),
      ...place.words.map((word) => `${here} -f -a ${quoted(word)}`),
      ...place.flags.map(({ name: flag, description, values }) => {
        const value = values === null ? ' -r' : values.length === 0 ? '' : ` -x -a ${quoted(values.join(' '))}`;
        return `${here} -l ${flag.slice(2)} -d ${quoted(description)}${value}`;
      }),
    ];
  });
  return [
    `# Load it with: ${name} completion fish | source`,
    `function __${name}_at`,
    '  set -l at',
    '  for word in (commandline -opc)[2..-1]',
    `    contains -- (string join ' ' -- $at $word) ${paths.join(' ')}; and set at $at $word`,
    '  end',
    `  test (string join ' ' -- $at) = "$argv[1]"`,
    'end',
    ...lines,
    '',
  ].join('\n');
}
