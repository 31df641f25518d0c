/** Sends webhooks as those do who sign them. */
import { createHmac } from 'node:crypto';

export interface Delivered {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

const sign = (secret: string, text: string): string =>
  `sha256=${createHmac('sha256', secret).update(text).digest('hex')}`;

export const deliveries = (url: string, secret: string) => {
  const send = async (name: string, body: string, headers: Record<string, string>): Promise<Delivered> => {
    const response = await fetch(`${url}/webhooks/${name}`, { method: 'POST', body, headers });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  return {
    github: (name: string, event: string, payload: object, id: string): Promise<Delivered> => {
      const body = JSON.stringify(payload);
      const signed = { 'x-hub-signature-256': sign(secret, body), 'x-github-delivery': id, 'x-github-event': event };
      return send(name, body, { ...signed, 'content-type': 'application/json' });
    },
    generic: (name: string, payload: object, id: string): Promise<Delivered> => {
      const body = JSON.stringify(payload);
      const timestamp = String(Math.floor(Date.now() / 1_000));
      const signature = sign(secret, `${timestamp}.${body}`);
      return send(name, body, {
        'x-webhook-timestamp': timestamp,
        'x-webhook-signature': signature,
        'x-webhook-id': id,
      });
    },
  };
};
