/** Tells addresses of PostgreSQL from others and takes them apart, without its driver. */
import { RatchetError } from '../../src/domain/errors.ts';

/** @returns whether the text is the address of a PostgreSQL database. */
export function isPostgres(address: string): boolean {
  return /^postgres(ql)?:/.test(address);
}

/** Fails with `configuration_invalid`, and never with the address in the error: it may hold a password. */
export function parsedAddress(address: string): URL {
  // Without a host it is that of a socket, which stands behind the question mark.
  const parsed = URL.parse(address) ?? URL.parse(address.replace('@/', '@localhost/'));
  if (parsed !== null) return parsed;
  throw new RatchetError(
    'configuration_invalid',
    'the address of the database is no URL such as postgresql://user:password@host:5432/name; write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23 and % as %25 in user and password',
  );
}
