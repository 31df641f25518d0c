/** Answers of the transports that are no answers of tools: errors of JSON-RPC with their HTTP status, and messages read from what is stored. */
import { type JSONRPCMessage, parseJSONRPCMessage } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { JsonObject } from '../../domain/event.ts';

/** Codes that the SDK's own transports use for the same. */
const CODES = { refused: -32_000, no_session: -32_001, internal: -32_603 } as const;

/** @param said what went wrong and what to do */
export function rpcError(
  status: number,
  kind: keyof typeof CODES,
  said: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const error = { code: CODES[kind], message: said };
  return Response.json({ jsonrpc: '2.0', id: null, error }, { status, headers: { ...headers } });
}

/** A request that never was, or that belongs to somebody else: which of both is nobody's business. */
export const noSession = (): Response =>
  rpcError(
    404,
    'no_session',
    'Session not found: it was closed, was idle for too long, or never was; initialize again',
  );

/** @returns the messages in a body, one or a batch; none where it holds something else, which the transport then refuses. */
export function messagesIn(body: unknown): readonly JSONRPCMessage[] {
  const all = Array.isArray(body) ? body : [body];
  try {
    return all.map((message) => parseJSONRPCMessage(message));
  } catch {
    return [];
  }
}

const stored = z.record(z.string(), z.json());

/** @returns the message in the form that is stored. */
export function storedMessage(message: JSONRPCMessage): JsonObject {
  return stored.parse(JSON.parse(JSON.stringify(message)));
}
