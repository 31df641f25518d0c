/** Decides which connections stay open after an answer, so that no more lie idle at one origin than are wanted. */

export interface KeptConnections {
  /**
   * Asked before each exchange, since the request itself says whether its connection stays.
   *
   * @returns what to call when the exchange is over; null: the connection must not stay
   */
  keep(origin: string): (() => void) | null;
}

/**
 * An exchange takes an idle connection where there is one, so those that are idle and those that will be are together
 * never more than the exchanges that were allowed to keep theirs at the same time.
 *
 * @param most idle connections to one origin
 */
export function keptConnections(most: number): KeptConnections {
  const kept = new Map<string, number>();
  return {
    keep: (origin) => {
      const before = kept.get(origin) ?? 0;
      if (before >= most) return null;
      kept.set(origin, before + 1);
      let isOver = false;
      return () => {
        if (isOver) return;
        isOver = true;
        const left = (kept.get(origin) ?? 1) - 1;
        if (left === 0) kept.delete(origin);
        else kept.set(origin, left);
      };
    },
  };
}
