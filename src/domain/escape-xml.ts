/** Makes text safe to stand in HTML and SVG, between tags and in quoted attributes. */

const NAMES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Control characters, lone surrogates and non-characters, which XML does not take in any form. */
// oxlint-disable-next-line no-control-regex -- these are what is looked for
const UNTAKEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\ufffe\uffff]/g;

/** @returns the text with markup as entities, and with `�` for what XML can not hold. */
export function escapeXml(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(UNTAKEN, '\ufffd')
    .replaceAll(/[&<>"']/g, (found) => NAMES[found] ?? found);
}
