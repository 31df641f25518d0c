/** Tells addresses of PostgreSQL from others, without its driver. */

/** @returns whether the text is the address of a PostgreSQL database. */
export function isPostgres(address: string): boolean {
  return /^postgres(ql)?:/.test(address);
}
