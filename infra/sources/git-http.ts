/** How the Git library reaches a repository: through the guarded network, with credentials for that one server. */
import type { GitHttpRequest, GitHttpResponse, HttpClient } from 'isomorphic-git';
import { boundPack } from './pack-bounds.ts';
import type { Remote } from './remote.ts';

const DISCOVERY = '/info/refs';

/**
 * @param url of the repository
 * @param unpackedBytes that all objects of a pack may have together
 * @param signal ends whatever is under way
 */
export function gitHttp(remote: Remote, url: string, unpackedBytes: number, signal: AbortSignal): HttpClient {
  // A repository that has moved says so once, to the first request.
  let base = url;
  return {
    request: async (asked: GitHttpRequest): Promise<GitHttpResponse> => {
      const target = asked.url.startsWith(url) ? `${base}${asked.url.slice(url.length)}` : asked.url;
      const method = asked.method ?? 'GET';
      const headers = Object.entries(asked.headers ?? {});
      const body = asked.body === undefined ? null : await collected(asked.body);
      const response = await remote.send({ method, url: target, headers, body }, signal);
      const moved = response.url.indexOf(DISCOVERY);
      if (response.redirected && moved > 0) base = response.url.slice(0, moved);
      if (response.status !== 200) throw remote.answered(response.status, response.statusText);
      if (body !== null) await boundPack(response.body, unpackedBytes, signal);
      return {
        url: response.url,
        method,
        statusCode: response.status,
        statusMessage: response.statusText,
        headers: Object.fromEntries(response.headers),
        body: once(response.body),
      };
    },
  };
}

async function collected(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* once(body: Uint8Array): AsyncGenerator<Uint8Array> {
  yield body;
}
