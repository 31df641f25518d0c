/** A page to try queries on: it loads nothing from anywhere, and works without a network beyond this server. */
import type { FastifyReply } from 'fastify';
import type { Runtime } from '../../ports/runtime.ts';
import { PLAYGROUND_SCRIPT } from './playground-script.ts';

const STYLE = `
:root { color-scheme: light dark; font: 14px/1.4 system-ui, sans-serif; }
body { margin: 0; display: grid; grid-template: auto 1fr / 1fr 1fr 18rem; height: 100vh; gap: 1px; }
header { grid-column: 1 / -1; display: flex; gap: .75rem; align-items: center; padding: .5rem .75rem; }
h1 { font-size: 1rem; margin: 0; }
main, aside, output { display: flex; flex-direction: column; min-height: 0; padding: .5rem; overflow: auto; }
textarea, pre, input { font: 13px/1.4 ui-monospace, monospace; }
textarea { flex: 3; resize: none; } #variables { flex: 1; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
summary { cursor: pointer; } li { overflow-wrap: anywhere; } ul { padding-left: 1rem; }
button { padding: .25rem 1rem; }
`;

const BODY = `
<header><h1>Ratchet GraphQL</h1><button id="run">Run</button><button id="stop" disabled>Stop</button>
<label>API key <input id="key" type="password" autocomplete="off"></label><span id="state"></span></header>
<main><label for="query">Query (Ctrl+Enter runs it)</label>
<textarea id="query" spellcheck="false">{
  executions(first: 5) {
    edges { node { executionId taskName status durationMs } }
  }
}</textarea>
<label for="variables">Variables</label><textarea id="variables" spellcheck="false">{}</textarea></main>
<output><pre id="result" aria-live="polite"></pre></output>
<aside id="schema"><strong>Schema</strong></aside>
`;

/** Sends the page; its policy lets exactly this script and this style in. */
export function playground(reply: FastifyReply, { sha256 }: Pick<Runtime, 'sha256'>): FastifyReply {
  const hash = (text: string): string => `'sha256-${Buffer.from(sha256(text), 'hex').toString('base64')}'`;
  const policy = [
    "default-src 'none'",
    `script-src ${hash(PLAYGROUND_SCRIPT)}`,
    `style-src ${hash(STYLE)}`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  const page = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Ratchet GraphQL</title><style>${STYLE}</style></head><body>${BODY}<script>${PLAYGROUND_SCRIPT}</script></body></html>`;
  return reply
    .headers({ 'content-security-policy': policy, 'cache-control': 'no-store', vary: 'Accept' })
    .type('text/html; charset=utf-8')
    .send(page);
}
