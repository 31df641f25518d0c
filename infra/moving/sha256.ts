/** The hash that logs are compared by. */
import { hash } from 'node:crypto';

/** @returns SHA-256 of the UTF-8 form of `text`, in hex. */
export function sha256(text: string): string {
  return hash('sha256', text, 'hex');
}
