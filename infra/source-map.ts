/** Reads the source maps that compilers leave at the end of what they write. */
import { originalPositionFor, TraceMap } from '@jridgewell/trace-mapping';
import type { SourceMap, SourceMaps } from '../src/ports/source-map.ts';

/** Characters of the longest map that is read. */
const MAX_MAP = 32 * 1024 * 1024;
const COMMENT = /^\s*\/\/[#@]\s*sourceMappingURL=data:application\/json(?:;charset=[\w-]+)?(;base64)?,(\S+)\s*$/;

export function openSourceMaps(): SourceMaps {
  return { inside };
}

function inside(code: string): SourceMap | null {
  const at = code.lastIndexOf('sourceMappingURL=data:');
  if (at < 0) return null;
  const start = Math.max(code.lastIndexOf('\n', at), code.lastIndexOf('\r', at)) + 1;
  const end = /[\r\n]|$/.exec(code.slice(at))?.index ?? 0;
  const [, base64, data] = COMMENT.exec(code.slice(start, at + end)) ?? [];
  if (data === undefined || data.length > MAX_MAP) return null;
  try {
    const json = base64 === undefined ? decodeURIComponent(data) : Buffer.from(data, 'base64').toString('utf8');
    return mapOf(new TraceMap(json));
  } catch {
    return null;
  }
}

function mapOf(map: TraceMap): SourceMap | null {
  const last = map.sources.length - 1;
  if (last < 0) return null;
  const nameOf = (index: number): string => map.resolvedSources[index] ?? map.sources[index] ?? 'source';
  return {
    file: nameOf(last),
    text: map.sourcesContent?.[last] ?? null,
    original: ({ line, column }) => {
      const found = originalPositionFor(map, { line, column: Math.max(0, column - 1) });
      if (found.line === null || found.source === null) return null;
      return { file: found.source, line: found.line, column: found.column + 1 };
    },
  };
}
