/** The smallest things of each kind that a result can hold. */

import type { ElicitRequestFormParams } from '@modelcontextprotocol/server';

/** Of a form. */
export type Fields = ElicitRequestFormParams['requestedSchema']['properties'];

/** A red pixel. */
export const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==';
/** No sound at all. */
export const WAV = 'UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=';

export const text = (said: string) => ({ type: 'text', text: said }) as const;
export const said = (words: string) => ({ content: [text(words)] });

export const ask = (message: string, properties: Fields, required: readonly string[]) => ({
  method: 'elicitation/create' as const,
  params: {
    mode: 'form' as const,
    message,
    requestedSchema: { type: 'object' as const, properties, required: [...required] },
  },
});
export const sample = (prompt: string, maxTokens: number) => ({
  method: 'sampling/createMessage' as const,
  params: { messages: [{ role: 'user' as const, content: text(prompt) }], maxTokens },
});
