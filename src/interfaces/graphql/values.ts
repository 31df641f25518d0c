/** Reads values of unknown form, as answers of operations and arguments are to this surface. */

/** @returns its entries, none for what is no object. */
export function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

/** @returns the entries of a list that are objects, none for what is no list. */
export function records(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.map(record) : [];
}

/** @returns the text, or null for anything else. */
export function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** @returns the number, or null for anything else. */
export function numberOf(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}
