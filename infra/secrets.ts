/** Secrets from the configuration: revealed only in requests to their hosts, redacted from everything that comes back. */
import { createHmac, getHashes } from 'node:crypto';
import { RatchetError } from '../src/domain/errors.ts';
import type { Secrets } from '../src/ports/secrets.ts';

export interface ConfiguredSecret {
  readonly value: string;
  /** Host names, or `*.example.com` for all below; empty: no host may have it. */
  readonly allowedHosts: readonly string[];
}

const PLACEHOLDER = /\{\{secret:([A-Za-z0-9_.-]{1,128})\}\}/g;
/** Shorter values would be found by chance in innocent text. */
const SHORTEST_REDACTED = 4;

/** @returns a keeper of the given secrets by name. */
export function configuredSecrets(secrets: Readonly<Record<string, ConfiguredSecret>>): Secrets {
  const forms = Object.entries(secrets)
    .filter(([, secret]) => secret.value.length >= SHORTEST_REDACTED)
    .flatMap(([name, secret]) => encodedForms(secret.value).map((form) => ({ form, name })))
    .sort((a, b) => b.form.length - a.form.length);

  const find = (name: string): ConfiguredSecret => {
    const secret = Object.hasOwn(secrets, name) ? secrets[name] : undefined;
    if (secret !== undefined) return secret;
    throw new RatchetError('secret_unavailable', `there is no secret named ${name}`, { details: { secret: name } });
  };

  return {
    reveal: (text, host) =>
      text.replace(PLACEHOLDER, (_, name: string) => {
        const secret = find(name);
        if (secret.allowedHosts.some((pattern) => hostMatches(pattern, host))) return secret.value;
        throw new RatchetError('secret_unavailable', `the secret ${name} may not be sent to ${host}`, {
          details: { secret: name, host },
        });
      }),
    redact: (text) => {
      let clean = text;
      for (const { form, name } of forms) clean = clean.replaceAll(form, `{{secret:${name}}}`);
      return clean;
    },
    hmac: (name, data, { algorithm, encoding }) => {
      if (!getHashes().includes(algorithm)) {
        throw new RatchetError('invalid_request', `there is no hash algorithm ${algorithm}`, {
          details: { algorithm },
        });
      }
      return createHmac(algorithm, find(name).value).update(data).digest(encoding);
    },
  };
}

/** A server may echo a secret as it is, in Base64, or percent-encoded. */
function encodedForms(value: string): readonly string[] {
  return [...new Set([value, Buffer.from(value).toString('base64').replace(/=+$/, ''), encodeURIComponent(value)])];
}

function hostMatches(pattern: string, host: string): boolean {
  const wanted = pattern.toLowerCase();
  const actual = host.toLowerCase();
  return wanted.startsWith('*.') ? actual.endsWith(wanted.slice(1)) : actual === wanted;
}
