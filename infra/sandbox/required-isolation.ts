/** What production asks of the system that tasks run on. */
import { RatchetError } from '../../src/domain/errors.ts';
import type { IsolationLevel } from '../../src/ports/sandbox.ts';

/** Fails with `configuration_invalid` where nothing but the process itself is between a task and the server's user. */
export function assertIsolated(isolation: IsolationLevel): void {
  if (isolation !== 'process') return;
  throw new RatchetError(
    'configuration_invalid',
    'tasks would run as the user of the server here, because the system offers neither namespaces nor another user, ' +
      'and the environment is production; allow namespaces, start as root, or set security.allow_process_isolation',
  );
}
