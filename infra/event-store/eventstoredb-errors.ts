/** Tells the errors of EventStoreDB apart: what passes by itself, and in one sentence what does not. */
import { connect } from 'node:tls';
import { convertToCommandError, isCommandError, NotLeaderError } from '@eventstore/db-client';
import { RatchetError } from '../../src/domain/errors.ts';
import type { Endpoint, EventStoreDbSettings } from './eventstoredb-url.ts';

/** Status codes of gRPC that the client passes on as they are. */
const PERMISSION_DENIED = 7;
const UNIMPLEMENTED = 12;
const INTERNAL = 13;
const PROBE_MS = 2_000;

/** A read that went silent: the connection may be dead without having said so. */
export class StalledError extends Error {}

/** @returns whether the same call may succeed later or on another connection, nothing being wrong with the call. */
export function isPassing(error: unknown): boolean {
  if (error instanceof StalledError) return true;
  const told = commandError(error);
  if (told === null) return reasonOf(error).startsWith('Failed to discover');
  switch (told.type) {
    case 'unavailable':
    case 'cancelled':
    case 'deadline-exceeded':
    case 'timeout':
    case 'not-leader':
      return true;
    case 'unknown':
      return told.message.includes('No leader info') || told.code === INTERNAL;
    default:
      return false;
  }
}

/** @returns where the leader is, when the error tells. */
export function leaderOf(error: unknown): Endpoint | null {
  const told = commandError(error);
  return told instanceof NotLeaderError ? told.leader : null;
}

/** @returns the error as the client types it, or null for one that is not of the server or the connection. */
function commandError(error: unknown) {
  if (!(error instanceof Error)) return null;
  const told = convertToCommandError(error);
  return isCommandError(told) ? told : null;
}

/** @returns our error for one that came of the server after all patience. */
export function eventStoreDbError(error: unknown, { hosts, user }: EventStoreDbSettings): RatchetError {
  if (error instanceof RatchetError) return error;
  const at = nameOf(hosts);
  const told = commandError(error);
  const who = user === null ? 'no user' : `the user ${user.username}`;
  if (told?.type === 'access-denied') {
    const isKnown = told.code === PERMISSION_DENIED;
    const why = isKnown
      ? `${who} may not read $all and write: make the user a member of $admins or allow it by ACL`
      : `${who} is not accepted with this password: correct user and password in event_store.url`;
    return failed(at, user === null ? 'it asks for a user: write user:password@ before the host' : why, error);
  }
  if (told?.type === 'stream-deleted') {
    return new RatchetError('store_corrupt', `a stream of the log at ${at} was deleted on the server`, {
      cause: error,
    });
  }
  if (told?.type === 'maximum-append-size-exceeded') {
    return new RatchetError('payload_too_large', `the server ${at} takes less in one append`, { cause: error });
  }
  if (told?.code === UNIMPLEMENTED) {
    return failed(at, 'it does not offer streams over gRPC: is it EventStoreDB 20.6 or later, or KurrentDB?', error);
  }
  // The reason is all that the error tells.
  return failed(at, reasonOf(error));
}

/** As {@link eventStoreDbError} for an error at the start, where it looks closer whether one side speaks TLS and the other does not. */
export async function openError(error: unknown, settings: EventStoreDbSettings): Promise<RatchetError> {
  const at = nameOf(settings.hosts);
  const reason = reasonOf(error);
  if (settings.tls && /wrong version number|packet length too long|SSL routines|EPROTO/u.test(reason)) {
    return failed(at, 'it does not speak TLS: add tls=false to event_store.url if that is meant', error);
  }
  if (settings.tls && reason.includes('servername')) {
    return failed(at, 'Node speaks TLS with names only: give the host by its name, not by its IP address', error);
  }
  if (settings.tls && /certificate|self-signed|altnames/iu.test(reason)) {
    return failed(at, `its certificate is not trusted (${reason}): name its authority with tlsCAFile=FILE`, error);
  }
  const [host] = settings.hosts;
  if (!settings.tls && host !== undefined && isPassing(error) && (await speaksTls(host))) {
    return failed(at, 'it speaks TLS: take tls=false out of event_store.url', error);
  }
  return eventStoreDbError(error, settings);
}

/** @returns the hosts as people read them. */
export function nameOf(hosts: readonly Endpoint[]): string {
  return hosts.map(({ address, port }) => `${address}:${port}`).join(',');
}

function failed(at: string, reason: string, cause?: unknown): RatchetError {
  return new RatchetError('store_unavailable', `Database connection failed: EventStoreDB at ${at}: ${reason}`, {
    details: { at },
    cause,
  });
}

/** @returns what an error says, without the frame that gRPC puts around what the connection said. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const bare = text.replace(/^\d+ [A-Z_]+: /u, '').replace(/^No connection established\. Last error: (Error: )?/u, '');
  return bare.replace(/\.?\s*Resolution note:.*$/su, '');
}

/** Only greets: nothing is sent, so that no certificate need be trusted. */
function speaksTls({ address, port }: Endpoint): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({
      host: address,
      port,
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
      timeout: PROBE_MS,
    });
    const answer = (speaks: boolean) => (): void => {
      socket.destroy();
      resolve(speaks);
    };
    socket.once('secureConnect', answer(true));
    socket.once('error', answer(false));
    socket.once('timeout', answer(false));
  });
}
