/** Makes pages out of text in such a way that whatever is put in is escaped, unless it was made here too. */
import { escapeXml } from '../domain/escape-xml.ts';

/** Markup that is whole and safe. */
export class Html {
  readonly markup: string;

  /** @param markup of the program itself; texts of others go through {@link html} */
  constructor(markup: string) {
    this.markup = markup;
  }
}

type Value = string | number | null | Html | readonly Html[];

/** Template tag: strings and numbers are escaped, also in quoted attributes; markup and lists of it are put in as they are. */
export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Html {
  return new Html(parts.reduce((text, part, index) => `${text}${markupOf(values[index - 1] ?? null)}${part}`));
}

function markupOf(value: Value): string {
  if (value === null) return '';
  if (value instanceof Html) return value.markup;
  if (typeof value === 'string' || typeof value === 'number') return escapeXml(String(value));
  return value.map(({ markup }) => markup).join('');
}
