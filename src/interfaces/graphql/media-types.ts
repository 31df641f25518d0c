/** Which form of answer a client takes, by RFC 9110 §12.5.1 and the GraphQL-over-HTTP specification. */

export const GRAPHQL_RESPONSE = 'application/graphql-response+json';
export const EVENT_STREAM = 'text/event-stream';
export const HTML = 'text/html';

/** In the order of preference among those that a client likes equally well when it takes anything. */
const OFFERED = ['application/json', GRAPHQL_RESPONSE, EVENT_STREAM, HTML] as const;

export type MediaType = (typeof OFFERED)[number];

interface Range {
  readonly type: string;
  readonly quality: number;
  readonly place: number;
}

const MAX_RANGES = 50;

/**
 * @param accept the header; a client that sends none is taken to accept `application/graphql-response+json`
 * @param offered what this address has
 * @returns the media type that the client likes best of those offered, null when it takes none of them
 */
export function acceptedType(accept: string | undefined, offered: readonly MediaType[]): MediaType | null {
  if (accept === undefined || accept.trim() === '') return GRAPHQL_RESPONSE;
  const ranges = accept.split(',').slice(0, MAX_RANGES).map(rangeOf);
  const ranked = OFFERED.filter((type) => offered.includes(type))
    .map((type) => ({ type, range: rangeFor(type, ranges) }))
    .filter((candidate) => candidate.range !== null && candidate.range.quality > 0);
  // Liked equally well: what was named before what is covered by an asterisk, then what was named first.
  ranked.sort((one, other) => {
    const [a, b] = [one.range, other.range];
    if (a === null || b === null) return 0;
    return b.quality - a.quality || Number(a.type.includes('*')) - Number(b.type.includes('*')) || a.place - b.place;
  });
  return ranked[0]?.type ?? null;
}

function rangeOf(text: string, place: number): Range {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))?.slice('charset='.length);
  const isUtf8 =
    charset === undefined || charset.replaceAll('"', '') === 'utf-8' || charset.replaceAll('"', '') === 'utf8';
  const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
  const quality = weight === undefined ? 1 : Number(weight);
  return { type, quality: isUtf8 && Number.isFinite(quality) ? quality : 0, place };
}

/** The most specific range counts. */
function rangeFor(type: MediaType, ranges: readonly Range[]): Range | null {
  const [family = ''] = type.split('/');
  for (const wanted of [type, `${family}/*`, '*/*']) {
    // Pages and streams are for those who ask for them by name.
    if (wanted !== type && (type === EVENT_STREAM || type === HTML)) continue;
    const found = ranges.find((range) => range.type === wanted);
    if (found !== undefined) return found;
  }
  return null;
}
