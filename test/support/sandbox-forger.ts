/** Stands for task code that has taken over its process: says that it is ready, then sends what the test wants. */
import { readSync, writeSync } from 'node:fs';

const FORGED = JSON.parse(process.argv[2] ?? 'null') as { json?: unknown; text?: string; length?: number } | null;

function send(json: string, length = Buffer.byteLength(json)): void {
  const bytes = Buffer.alloc(4 + Buffer.byteLength(json));
  bytes.writeUInt32LE(length);
  bytes.write(json, 4);
  writeSync(3, bytes);
}
send('{"type":"ready"}');
readSync(3, Buffer.alloc(65_536), 0, 65_536, null);
if (FORGED === null) process.abort();
if (FORGED.length === undefined) send(JSON.stringify(FORGED.json));
else send(FORGED.text ?? '', FORGED.length);
readSync(3, Buffer.alloc(65_536), 0, 65_536, null);
