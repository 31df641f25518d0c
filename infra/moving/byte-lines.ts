/** Cuts bytes into lines at the line feed alone, because other line ends may stand within the text of an event. */
import { RatchetError } from '../../src/domain/errors.ts';

/** Longer than the line of the largest event can be. */
const LONGEST_BYTES = 8 * 1024 * 1024;
const LINE_FEED = 0x0a;

export interface ByteLine {
  readonly text: string;
  /** Bytes of the line and its end. */
  readonly bytes: number;
  /** False for what follows the last line feed. */
  readonly hasEnd: boolean;
}

/** The lines of a stream, one after the other. Fails with `export_damaged` when one does not end. */
export async function* byteLines(input: AsyncIterable<Uint8Array>): AsyncGenerator<ByteLine> {
  let pieces: Uint8Array[] = [];
  let length = 0;
  const line = (hasEnd: boolean): ByteLine => {
    const text = Buffer.concat(pieces).toString('utf8');
    const bytes = length + (hasEnd ? 1 : 0);
    pieces = [];
    length = 0;
    return { text, bytes, hasEnd };
  };
  for await (const chunk of input) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      pieces.push(chunk.subarray(start, end));
      length += end - start;
      start = end + 1;
      yield line(true);
    }
    pieces.push(chunk.subarray(start));
    length += chunk.length - start;
    if (length > LONGEST_BYTES) {
      throw new RatchetError('export_damaged', `a line of the export is longer than ${LONGEST_BYTES} bytes`);
    }
  }
  if (length > 0) yield line(false);
}
