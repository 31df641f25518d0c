/** An agent that calls tools as a model would, and holds every answer to what all answers promise. */
import type { Client } from '@modelcontextprotocol/client';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { expect } from 'vitest';

/** What stands in JSON: anything. */
export type Told = ReturnType<typeof JSON.parse>;

export class Agent {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  /** @returns the answer: data and text are the same facts, and no more tokens than allowed, as a tokenizer counts them. */
  async ask(name: string, args: object = {}, maxTokens = 4_000): Promise<Told> {
    const { isError, text, data } = await this.#call(name, args);
    expect(isError ? text : 'answered').toBe('answered');
    expect(countTokens(text)).toBeLessThanOrEqual(maxTokens);
    return data;
  }

  /** @returns the error that the tool answers. */
  async refused(name: string, args: object = {}): Promise<Told> {
    const { isError, data } = await this.#call(name, args);
    expect(isError).toBe(true);
    return data.error;
  }

  async #call(name: string, args: object): Promise<{ isError: boolean; text: string; data: Told }> {
    const { isError, structuredContent, content } = await this.#client.callTool({ name, arguments: { ...args } });
    const [block] = content;
    const text = block?.type === 'text' ? block.text : '';
    const data: Told = JSON.parse(text);
    expect(data).toEqual(structuredContent);
    return { isError: isError === true, text, data };
  }
}
