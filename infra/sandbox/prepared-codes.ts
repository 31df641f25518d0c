/** Keeps prepared code, because parsing a task again for each of its executions costs more than running most of them. */
import type { PreparedCode } from '../../src/ports/sandbox.ts';
import { prepareCode } from './prepare.ts';

const KEPT = 100;
/** Longer code is parsed each time: it is rare, and would fill the memory. */
const LONGEST_KEPT = 256 * 1024;

export class PreparedCodes {
  /** By code; that used last stands last. */
  readonly #kept = new Map<string, PreparedCode>();

  /** As {@link prepareCode}, with the same failures. */
  prepare(code: string, file: string): PreparedCode {
    const known = this.#kept.get(code);
    const prepared = known?.file === file ? known : prepareCode(code, file);
    if (code.length > LONGEST_KEPT) return prepared;
    this.#kept.delete(code);
    this.#kept.set(code, prepared);
    const oldest = this.#kept.keys().next();
    if (this.#kept.size > KEPT && oldest.done !== true) this.#kept.delete(oldest.value);
    return prepared;
  }
}
