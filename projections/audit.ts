/** Shapes every decision and refusal into the audit trail: who did what to which, when. */
import { AUDITED_TYPES, auditEntryOf } from '../src/domain/audit.ts';
import { insert, type Projection } from './projection.ts';

export const audit: Projection = {
  name: 'audit',
  version: 5,
  tables: ['audit'],
  types: AUDITED_TYPES,
  apply: (event, stored) => {
    const { details, ...entry } = auditEntryOf(event, stored);
    return [insert('audit', { ...entry, details: JSON.stringify(details) })];
  },
};
