/** Stands for task code that has escaped: started by the same command line, it tries what such code would try. */

import { writeSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
type Attempt = () => unknown;
const ppid = process.ppid;

const attempts: Record<string, Attempt> = {
  'read a file': () => require('node:fs').readFileSync('/etc/hostname'),
  'list a folder': () => require('node:fs').readdirSync('/'),
  'read the environment of others': () => require('node:fs').readFileSync('/proc/1/environ'),
  'write a file': () => require('node:fs').writeFileSync('/tmp/ratchet-escape', 'x'),
  'make a folder': () => require('node:fs').mkdtempSync('/tmp/ratchet-escape-'),
  'link a file': () => require('node:fs').symlinkSync('/etc', '/tmp/ratchet-escape-link'),
  'start a program': () => {
    const { error } = require('node:child_process').spawnSync('/bin/true');
    if (error) throw error;
  },
  fork: () => require('node:child_process').fork('/dev/null'),
  'start a thread': () => new (require('node:worker_threads').Worker)('1', { eval: true }),
  'open a database': () => new (require('node:sqlite').DatabaseSync)(':memory:'),
  'load an addon': () => process.dlopen({ exports: {} }, '/lib/x86_64-linux-gnu/libc.so.6'),
  'open the inspector': () => require('node:inspector').open(0),
  'attach the inspector': () => new (require('node:inspector').Session)().connect(),
  'use WASI': () => new (require('node:wasi').WASI)({ version: 'preview1' }),
  'reach internals': () => (process as unknown as { binding(name: string): unknown }).binding('fs'),
  // oxlint-disable-next-line typescript/no-implied-eval
  'make code from text': () => new Function('return 1')(),
  // oxlint-disable-next-line no-eval
  evaluate: () => (0, eval)('1'),
  'change the folder': () => process.chdir('/tmp'),
  'see the environment': () => {
    const names = Object.keys(process.env).filter(
      (name) => !['TZ', 'LC_ALL', 'PWD', 'OLDPWD', 'SHLVL', '_'].includes(name),
    );
    if (names.length === 0) throw new Error('nothing there');
    return names;
  },
  'signal the parent': () => ppid !== 0 && process.kill(ppid, 'SIGTERM'),
  'become root': () => process.setuid?.(0),
};

const asynchronous: Record<string, () => Promise<unknown>> = {
  'connect by TCP': () =>
    new Promise((resolve, reject) => {
      require('node:net').connect(80, '127.0.0.1').once('connect', resolve).once('error', reject);
    }),
  'send by UDP': () =>
    new Promise((resolve, reject) => {
      const socket = require('node:dgram').createSocket('udp4').once('error', reject);
      socket.send('x', 53, '127.0.0.1', (error: unknown) => (error ? reject(error) : resolve(1)));
    }),
  'look up a name': () => require('node:dns').promises.lookup('example.com'),
  fetch: () => fetch('http://127.0.0.1:1/'),
};

const succeeded: string[] = [];
for (const [name, attempt] of Object.entries(attempts)) {
  try {
    if (attempt() !== false) succeeded.push(name);
  } catch {}
}
for (const [name, attempt] of Object.entries(asynchronous)) {
  try {
    await attempt();
    succeeded.push(name);
  } catch {}
}

const json = JSON.stringify({
  succeeded,
  tried: Object.keys(attempts).length + Object.keys(asynchronous).length,
  ppid,
});
const bytes = Buffer.alloc(4 + Buffer.byteLength(json));
bytes.writeUInt32LE(bytes.length - 4);
bytes.write(json, 4);
writeSync(3, bytes);
// To 0 means to everyone in the group of processes: the server must not be in it.
process.kill(0, 'SIGKILL');
