/** Keeps prepared code, because parsing a task again for each of its executions costs more than running most of them. */
import type { PreparedCode } from '../../src/ports/sandbox.ts';
import { prepareCode } from './prepare.ts';

const KEPT = 100;
/** All that is kept together; one text that fills it is kept alone. */
const MOST_CHARACTERS = 8 * 1024 * 1024;

export class PreparedCodes {
  /** By code; that used last stands last. */
  readonly #kept = new Map<string, PreparedCode>();
  #characters = 0;

  /** As {@link prepareCode}, with the same failures. */
  prepare(code: string, file: string): PreparedCode {
    const known = this.#kept.get(code);
    const prepared = known === undefined ? prepareCode(code, file) : known.file === file ? known : { ...known, file };
    if (this.#kept.delete(code)) this.#characters -= code.length;
    this.#kept.set(code, prepared);
    this.#characters += code.length;
    for (const oldest of this.#kept.keys()) {
      if (oldest === code || (this.#kept.size <= KEPT && this.#characters <= MOST_CHARACTERS)) break;
      this.#kept.delete(oldest);
      this.#characters -= oldest.length;
    }
    return prepared;
  }
}
