/** Gathers from the events what an analysis or a comparison rests on, and lets the pure rules of the domain judge it. */

import type { QueryDeps } from '../../queries/query.ts';
import type { Debugging } from '../domain/debugging.ts';
import type { Diagnosis } from '../domain/diagnosis.ts';
import { RatchetError } from '../domain/errors.ts';
import type { RecordedRunDeps } from './recorded-run.ts';

export interface DiagnosingDeps extends RecordedRunDeps, QueryDeps {
  /** Shows the variables at the failing line. */
  readonly debugging: Debugging;
}

export function diagnosisOf(_deps: DiagnosingDeps): Diagnosis {
  const notBuilt = () => new RatchetError('unsupported', 'diagnosis can not be done yet');
  return { analyze: () => Promise.reject(notBuilt()), compare: () => Promise.reject(notBuilt()) };
}
