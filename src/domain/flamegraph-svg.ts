/** Draws a flamegraph as one SVG text that needs nothing else: no script, no style sheet, no font; details are tooltips. */
import { percentOf } from './duration.ts';
import { escapeXml } from './escape-xml.ts';
import type { Flame } from './flamegraph.ts';

export interface FlamegraphStyle {
  readonly title: string;
  /** Says a value with its unit. */
  readonly format: (value: number) => string;
}

const WIDTH = 1_200;
const ROW = 20;
const TOP = 30;
const MARGIN = 10;
/** Narrower frames can not be seen. */
const LEAST_WIDTH = 0.4;
/** Width of a letter of the font at its size, on the safe side. */
const LETTER = 6.6;
const FONT = 'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="11"';

/** The root is at the top, below it what it spent its time in. */
export function flamegraphSvg(flame: Flame, { title, format }: FlamegraphStyle): string {
  const frames: string[] = [];
  let deepest = 0;
  const perUnit = flame.value <= 0 ? 0 : (WIDTH - 2 * MARGIN) / flame.value;
  const draw = (frame: Flame, x: number, depth: number): void => {
    const width = depth === 0 ? WIDTH - 2 * MARGIN : frame.value * perUnit;
    if (width < LEAST_WIDTH) return;
    deepest = Math.max(deepest, depth);
    const share = percentOf(frame.value, flame.value);
    frames.push(frameSvg(frame.name, `${format(frame.value)}, ${share} %`, { x, y: TOP + depth * ROW, width }));
    let left = x;
    for (const child of frame.children) {
      draw(child, left, depth + 1);
      left += child.value * perUnit;
    }
  };
  draw(flame, MARGIN, 0);
  const height = TOP + (deepest + 1) * ROW + MARGIN;
  const head = `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" ${FONT}>`;
  const name = escapeXml(title);
  const heading = `<text x="${MARGIN}" y="19" font-size="13" fill="currentColor">${name}</text>`;
  return `${head}\n<title>${name}</title>\n${heading}\n${frames.join('\n')}\n</svg>\n`;
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
}

function frameSvg(name: string, value: string, { x, y, width }: Box): string {
  const letters = Math.floor((width - 6) / LETTER);
  const shown = letters < 2 ? '' : shortened(name, letters);
  const label =
    shown === '' ? '' : `<text x="${digits(x + 3)}" y="${y + 13}" fill="#1a1a1a">${escapeXml(shown)}</text>`;
  const rect = `<rect x="${digits(x)}" y="${y}" width="${digits(Math.max(LEAST_WIDTH, width - 0.5))}" height="${ROW - 1}" rx="2" fill="${colourOf(name)}"/>`;
  return `<g><title>${escapeXml(`${name} (${value})`)}</title>${rect}${label}</g>`;
}

/** Whole characters, never half of one. */
function shortened(text: string, letters: number): string {
  const characters = Array.from(text);
  return characters.length <= letters ? text : `${characters.slice(0, letters - 1).join('')}…`;
}

function digits(value: number): string {
  return String(Math.round(value * 100) / 100);
}

/** The same name has the same colour everywhere: a warm one from its hash (FNV-1a), grey for what is no task's own. */
export function colourOf(name: string): string {
  if (/^\([a-z ]+\)$/.test(name)) return '#c9ccd1';
  let hash = 0x811c9dc5;
  for (const character of name) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return `hsl(${12 + (hash % 40)} ${72 + ((hash >>> 8) % 20)}% ${62 + ((hash >>> 16) % 14)}%)`;
}
