/** Keeps the standard output for the protocol: whatever else is written there would be taken for a message. */
import { Console } from 'node:console';
import { Writable } from 'node:stream';

let protocol: Writable | null = null;

/** From here on everything that is printed goes to the standard error, libraries included. */
export function keepStdoutForProtocol(): void {
  const { stdout, stderr } = process;
  const write = stdout.write.bind(stdout);
  protocol = new Writable({ write: (chunk: Buffer, _encoding, done) => void write(chunk, (error) => done(error)) });
  // A client that is gone reads no more; that is noticed where it is written for.
  stdout.on('error', (error) => protocol?.destroy(error));
  stdout.write = stderr.write.bind(stderr);
  globalThis.console = new Console(stderr, stderr);
}

/** What the protocol is written to. */
export function protocolStdout(): Writable {
  return protocol ?? process.stdout;
}
