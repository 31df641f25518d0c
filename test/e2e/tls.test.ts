import { renameSync, writeFileSync } from 'node:fs';
import { type ConnectionOptions, connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer } from '../../src/cli/serve.ts';
import { TEST_SETTINGS } from '../support/app.ts';
import { type Certificate, selfSigned } from '../support/certificate.ts';
import { eventually, type Home, openHome, type ServerProcess, startServerProcess } from '../support/server.ts';

let home: Home;
let server: ServerProcess;
const first = selfSigned();

beforeAll(async () => {
  home = openHome();
  write(first);
  server = await startServerProcess(home, { more: 'server:\n  tls: { cert: tls/cert.pem, key: tls/key.pem }\n' });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  home[Symbol.dispose]();
});

function write({ cert, key }: Pick<Certificate, 'cert' | 'key'>): void {
  home.file('tls/cert.pem', cert);
  home.file('tls/key.pem', key);
}

interface Met {
  readonly fingerprint: string;
  readonly protocol: string | null;
  readonly answer: string;
}

/** Asks once over a connection of its own. */
function meet(options: ConnectionOptions = {}): Promise<Met> {
  return new Promise((resolve, reject) => {
    const port = Number(new URL(server.url).port);
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options }, () => {
      const fingerprint = socket.getPeerCertificate().fingerprint256;
      const protocol = socket.getProtocol();
      let answer = '';
      socket.setEncoding('utf8').on('data', (text: string) => (answer += text));
      socket.on('end', () => resolve({ fingerprint, protocol, answer }));
      socket.write('GET /api/v1/tasks HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
    });
    socket.on('error', reject);
  });
}

describe('a server with certificate and key', () => {
  it('speaks TLS from 1.2 on, and tells browsers to stay with it', async () => {
    expect(server.url).toMatch(/^https:/);
    const met = await meet({ ca: first.cert, rejectUnauthorized: true, servername: 'localhost' });
    expect(met).toMatchObject({ fingerprint: first.fingerprint, protocol: 'TLSv1.3' });
    expect(met.answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(met.answer).toMatch(/strict-transport-security: max-age=31536000\r\n/i);
    expect((await meet({ maxVersion: 'TLSv1.2' })).protocol).toBe('TLSv1.2');
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await expect(meet(old)).rejects.toThrow(/protocol version/i);
  });

  it('takes changed files without a restart, and keeps what it has where they can not be used', async () => {
    const second = selfSigned();
    writeFileSync(`${home.folder}/tls/new.pem`, second.cert);
    home.file('tls/key.pem', second.key);
    renameSync(`${home.folder}/tls/new.pem`, `${home.folder}/tls/cert.pem`);
    const shows = (fingerprint: string) => async () => ((await meet()).fingerprint === fingerprint ? true : undefined);
    await eventually('the new certificate is shown', shows(second.fingerprint));
    home.file('tls/key.pem', selfSigned().key);
    await eventually('the broken pair is told', () =>
      `${server.stdout()}${server.stderr()}`.includes('can not be used together') ? true : undefined,
    );
    expect((await meet()).fingerprint).toBe(second.fingerprint);
    write(first);
    await eventually('the repaired pair is shown', shows(first.fingerprint));
  });

  it('does not start with files that can not be used', async () => {
    const listener = {
      host: '127.0.0.1',
      port: 0,
      restPrefix: '/api/v1',
      maxRequestBytes: 1_000,
      requestTimeoutMs: 1_000,
      keepAliveMs: 1_000,
      version: '1',
    };
    const cert = home.file('other/cert.pem', first.cert);
    const key = home.file('other/key.pem', selfSigned().key);
    const started = (tls: { cert: string; key: string }) => startServer(TEST_SETTINGS, { ...listener, tls });
    await expect(started({ cert, key })).rejects.toMatchObject({ code: 'configuration_invalid' });
    await expect(started({ cert, key: `${key}.gone` })).rejects.toThrow(/key\.pem\.gone can not be read \(ENOENT\)/);
  });
});
