/** The OpenAPI document as a page for people: no script, nothing loaded from elsewhere. */
import { Html, html } from './html.ts';
import type { OpenApi } from './openapi.ts';

type Members = Readonly<Record<string, unknown>>;

export const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; color: #1a1a1a; background: #fff; }
h2 { border-bottom: 1px solid #ccc; margin-top: 2.5rem; }
summary { cursor: pointer; padding: .25rem 0; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
pre { background: #f4f4f4; overflow: auto; padding: .75rem; }
table { border-collapse: collapse; }
td, th { border-bottom: 1px solid #ddd; padding: .2rem .6rem; text-align: left; vertical-align: top; }
.method { display: inline-block; font-weight: 600; width: 4.5rem; }
@media (prefers-color-scheme: dark) { body { color: #eee; background: #161616; } pre { background: #242424; } }
`;

/** @returns the page; its style is {@link STYLE}, to be allowed by its hash. */
export function openApiPage(document: OpenApi, address: string): string {
  const byTag = Map.groupBy(
    Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
    ),
    ({ operation }) => textOf(listOf(operation['tags'])[0]),
  );
  const sections = [...byTag].map(
    ([tag, routes]) => html`<h2 id="${tag}">${tag}</h2>${routes.map((route) => shown(route))}`,
  );
  const page = html`<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Ratchet REST</title><style>${new Html(
    STYLE,
  )}</style></head><body><h1>Ratchet REST</h1><p>${textOf(document.info['description'])}</p><p>For programs: <a href="${address}">${address}</a></p>${sections}</body></html>`;
  return page.markup;
}

function shown({ path, method, operation }: { path: string; method: string; operation: Members }): Html {
  const parameters = listOf(operation['parameters']).map(membersOf);
  const json = membersOf(membersOf(membersOf(operation['requestBody'])['content'])['application/json']);
  const fields = Object.entries(membersOf(membersOf(json['schema'])['properties']));
  const required = listOf(membersOf(json['schema'])['required']);
  const rows = [
    ...parameters.map((one) =>
      row(textOf(one['name']), textOf(one['in']), one['required'] === true, membersOf(one['schema']), one),
    ),
    ...fields.map(([name, schema]) => row(name, 'body', required.includes(name), membersOf(schema), membersOf(schema))),
  ];
  const example = json['example'] === undefined ? [] : [html`<pre>${JSON.stringify(json['example'], null, 2)}</pre>`];
  return html`<details><summary><span class="method">${method.toUpperCase()}</span><code>${path}</code> ${textOf(operation['summary'])}</summary>
<p>Needs <code>${textOf(operation['x-permission'])}</code>.</p>
<table><tr><th>name</th><th>in</th><th>form</th><th></th></tr>${rows}</table>${example}</details>`;
}

function row(name: string, place: string, isRequired: boolean, schema: Members, described: Members): Html {
  return html`<tr><td><code>${name}</code>${isRequired ? ' (required)' : ''}</td><td>${place}</td><td>${formOf(schema)}</td><td>${textOf(described['description'])}</td></tr>`;
}

function formOf(schema: Members): string {
  if (Array.isArray(schema['enum'])) return schema['enum'].map(String).join(' | ');
  if (schema['type'] === undefined) return 'any';
  return Array.isArray(schema['type']) ? schema['type'].join(' | ') : textOf(schema['type']);
}

function membersOf(value: unknown): Members {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
