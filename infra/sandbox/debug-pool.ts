/** The processes in which task code runs under a debugger: a pool of its own, because they may start a thread and an inspector. */
import { RatchetError } from '../../src/domain/errors.ts';
import type { DebugSandbox } from '../../src/ports/debug-sandbox.ts';
import type { Sandbox } from '../../src/ports/sandbox.ts';

export interface DebugSandboxOptions {
  /** Most processes at a time. */
  readonly size: number;
  readonly prepare: Sandbox['prepare'];
}

/** Nothing is started before the first session is asked for. */
export function openDebugSandbox(options: DebugSandboxOptions): DebugSandbox {
  return {
    open: () => Promise.reject(new RatchetError('unsupported', 'debugging can not be done yet')),
    prepare: options.prepare,
    close: () => Promise.resolve(),
  };
}
