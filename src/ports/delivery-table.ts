/** What the deliverer asks of the durable order of deliveries: what is due, and what a dead worker left behind. */

export interface DeliveryTable {
  /** Deliveries to a target that are due, those first that have waited longest. */
  due(target: string, now: number, limit: number): Promise<readonly string[]>;
  /** Deliveries to a target that are being sent in a session other than the given ones. */
  sentElsewhere(
    target: string,
    liveSessions: readonly string[],
    limit: number,
  ): Promise<readonly { readonly deliveryId: string; readonly worker: string }[]>;
}
