import { deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { boundPack as bound, MAX_PACK_OBJECTS } from '../../../infra/sources/pack-bounds.ts';

const BLOB = 3;
const OFFSET_DELTA = 6;
const REFERENCE_DELTA = 7;

/** Seven bits a byte, the lowest first. */
function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 0x80, ...varint(Math.floor(value / 128))];
}

/** An object that announces `size` bytes and has `content`. */
function object(type: number, content: Buffer, size = content.length): Buffer {
  const more = Math.floor(size / 16);
  const head = more === 0 ? [(type << 4) | size] : [0x80 | (type << 4) | (size % 16), ...varint(more)];
  const base = type === REFERENCE_DELTA ? Buffer.alloc(20) : Buffer.from(type === OFFSET_DELTA ? [0x81, 0x01] : []);
  return Buffer.concat([Buffer.from(head), base, deflateSync(content)]);
}

function pack(...objects: readonly Buffer[]): Buffer {
  const head = Buffer.from('PACK\0\0\0\u0002\0\0\0\0', 'latin1');
  head.writeUInt32BE(objects.length, 8);
  return Buffer.concat([head, ...objects, Buffer.alloc(20)]);
}

const packet = (content: Buffer): Buffer =>
  Buffer.concat([Buffer.from((content.length + 4).toString(16).padStart(4, '0')), content]);

/** As a server sends it: in pieces, among words. */
function answer(sent: Buffer): Buffer {
  const pieces = [sent.subarray(0, 30), sent.subarray(30)].map((piece) =>
    packet(Buffer.concat([Buffer.from([1]), piece])),
  );
  const words = packet(Buffer.from('\u0002counting'));
  return Buffer.concat([packet(Buffer.from('NAK\n')), words, ...pieces, Buffer.from('0000')]);
}

const boundPack = (sent: Buffer, most: number, { signal } = new AbortController()): Promise<void> =>
  bound(sent, most, signal);

describe('a pack', () => {
  const small = object(BLOB, Buffer.from('hello'));
  const delta = (type: number, target: number) => object(type, Buffer.from([...varint(5), ...varint(target), 0]));

  it('is let through when all that it makes stays within the bound, in packets or bare', async () => {
    const fits = pack(small, object(BLOB, Buffer.alloc(900)), delta(OFFSET_DELTA, 40), delta(REFERENCE_DELTA, 50));
    for (const sent of [answer(fits), fits]) {
      await boundPack(sent, 995);
      await expect(boundPack(sent, 994)).rejects.toThrow('more than 994 bytes when unpacked');
    }
  });

  it('whose delta makes something huge of little is refused', async () => {
    await expect(boundPack(answer(pack(small, delta(OFFSET_DELTA, 2 ** 33))), 1_000_000)).rejects.toThrow(
      'more than 1000000 bytes',
    );
  });

  it('whose object announces too much, or has more than it announces, is refused and not inflated further', async () => {
    await expect(boundPack(pack(object(BLOB, Buffer.from('x'), 2 ** 40)), 1_000)).rejects.toThrow(
      'more than 1000 bytes',
    );
    await expect(boundPack(pack(object(BLOB, Buffer.alloc(1_000_000), 10)), 1_000)).rejects.toThrow('damaged');
  });

  it('that is cut short or none is refused; an answer without one is not looked at', async () => {
    const whole = pack(small, small);
    await expect(boundPack(whole.subarray(0, 34), 1_000)).rejects.toThrow('damaged');
    await expect(boundPack(Buffer.from('rubbish'), 1_000)).rejects.toThrow('damaged');
    await expect(boundPack(answer(Buffer.alloc(100)), 1_000)).rejects.toThrow('damaged');
    await boundPack(Buffer.concat([packet(Buffer.from('ref\n')), Buffer.from('0000')]), 0);
  });

  it('of very many objects is refused before one of them is looked at', async () => {
    const sent = pack(small);
    sent.writeUInt32BE(MAX_PACK_OBJECTS, 8);
    await expect(boundPack(sent, 1_000)).rejects.toThrow('damaged');
    sent.writeUInt32BE(MAX_PACK_OBJECTS + 1, 8);
    await expect(boundPack(sent, 1_000)).rejects.toMatchObject({
      code: 'source_refused',
      message: '20001 objects in its commit: more than 20000 files and folders',
    });
  });

  it('lets everybody else go on while it is looked at, and is left when it takes too long', async () => {
    const sent = pack(...Array.from({ length: 500 }, () => small));
    let isDone = false;
    const looking = boundPack(sent, 1_000_000).then(() => {
      isDone = true;
    });
    let turns = 0;
    while (!isDone) {
      await new Promise((resolve) => setImmediate(resolve));
      turns += 1;
    }
    await looking;
    expect(turns).toBeGreaterThan(50);
    const leaving = new AbortController();
    const left = boundPack(sent, 1_000_000, leaving);
    leaving.abort(new Error('too long'));
    await expect(left).rejects.toThrow('too long');
  });
});
