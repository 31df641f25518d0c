/** Mirrors the audit trail into a file as JSON lines, so that other programs can watch it; what was missed while no server ran is added. */
import { AUDITED_TYPES, auditEntryOf } from '../domain/audit.ts';
import { START } from '../domain/event.ts';
import { decode } from '../domain/history.ts';
import type { AuditFile } from '../ports/audit-file.ts';
import type { EventPage, EventStore } from '../ports/event-store.ts';
import { keepFollowing } from './keep-following.ts';

/** Writes each entry once, in order, until `signal` aborts. A file that can not be written is told, and tried again. */
export function mirrorAudit(
  store: EventStore,
  file: AuditFile,
  onTrouble: (error: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  const onPage = ({ events }: EventPage): void => {
    const last = file.last() ?? START;
    const fresh = events.filter(({ position }) => position > last);
    file.write(fresh.map((stored) => JSON.stringify(auditEntryOf(decode(stored), stored))));
  };
  const from = file.last() ?? START;
  return keepFollowing(store, { from, filter: { types: [...AUDITED_TYPES] }, onPage, onTrouble }, signal);
}
