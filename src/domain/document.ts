/** An answer that is no JSON object but a text of its own kind, such as a page or a picture, to be handed on as it is. */
export class Document {
  /** Such as `text/html`; the text is always UTF-8. */
  readonly mediaType: string;
  readonly body: string;
  /** Further header fields for surfaces that have headers, in lower case. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(mediaType: string, body: string, headers: Readonly<Record<string, string>> = {}) {
    this.mediaType = mediaType;
    this.body = body;
    this.headers = headers;
  }
}
