/** The style sheet of the trace page; its hash is what the page's security policy lets in, and nothing else. */

const DEPTHS = 24;
const INDENTS = Array.from({ length: DEPTHS }, (_, depth) => `.d${depth} { padding-left: ${depth * 14}px }`).join('\n');

/** @returns the class that indents a row; deeper rows are indented as the deepest class says. */
export function indentOf(depth: number): string {
  return `d${Math.min(depth, DEPTHS - 1)}`;
}

export const TRACE_STYLE = `
:root {
  color-scheme: light dark;
  --page: #fbfbfa; --panel: #fff; --ink: #1c1e21; --soft: #5c636b; --line: #e2e4e7; --hover: #f3f4f6;
  --http: #3b76c4; --wait: #9aa1ab; --task: #8359b8; --own: #2f8f83; --execution: #59636f;
  --bad: #b3261e; --bad-soft: #fbe9e7; --good: #1f7a3d; --mark: #d9822b; --link: #1d5fae;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #16181b; --panel: #1e2125; --ink: #e6e8ea; --soft: #9aa3ad; --line: #32373d; --hover: #262a2f;
    --http: #5b95e0; --wait: #757d87; --task: #a57fd6; --own: #49ab9f; --execution: #8a949f;
    --bad: #ff8a80; --bad-soft: #3a2322; --good: #6cc48a; --mark: #f0a04b; --link: #86b6f2;
  }
}
* { box-sizing: border-box }
body {
  margin: 0 auto; padding: 24px 28px 56px; max-width: 1320px; background: var(--page); color: var(--ink);
  font: 14px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
a { color: var(--link) }
h1 { font-size: 22px; margin: 0 10px 0 0; display: inline; overflow-wrap: anywhere }
h2 { font-size: 15px; margin: 0 0 10px }
code, .name, .time, pre { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: 12px }
section { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 16px 18px; margin-top: 16px }
.status { font-weight: 600; padding: 2px 10px; border-radius: 99px; border: 1px solid currentColor; white-space: nowrap }
.completed { color: var(--good) }
.failed, .cancelled { color: var(--bad) }
.pending, .running, .waiting { color: var(--mark) }
.facts { display: flex; flex-wrap: wrap; gap: 6px 26px; margin: 12px 0 0; color: var(--soft) }
.facts dt, .facts dd { display: inline; margin: 0 }
.facts dd { color: var(--ink); overflow-wrap: anywhere }
nav { margin-top: 10px; display: flex; flex-wrap: wrap; gap: 4px 16px }
.error { background: var(--bad-soft); border-color: var(--bad) }
.error pre { margin: 6px 0 0; white-space: pre-wrap; overflow-wrap: anywhere; max-height: 240px; overflow: auto }
.lists { display: grid; grid-template-columns: 1fr 1fr; gap: 16px }
@media (max-width: 900px) { .lists { grid-template-columns: 1fr; gap: 0 } }
ul { margin: 0; padding-left: 18px }
li { margin: 4px 0; overflow-wrap: anywhere }
.none { color: var(--soft); margin: 0 }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; color: var(--soft); font-size: 12px; margin-bottom: 8px }
.legend svg { width: 12px; height: 12px; vertical-align: -1px; margin-right: 5px }
.row > summary, .axis {
  display: grid; grid-template-columns: minmax(160px, 34%) 1fr 84px; gap: 12px; align-items: center; padding: 2px 6px;
}
.row > summary { cursor: pointer; list-style: none; border-radius: 4px }
.row > summary::-webkit-details-marker { display: none }
.row > summary:hover, .row[open] > summary { background: var(--hover) }
.row:target > summary { outline: 2px solid var(--mark) }
.row[open] > summary .name { white-space: normal; overflow-wrap: anywhere }
.name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
.time { text-align: right; white-space: nowrap }
.bad .name { color: var(--bad) }
.bar { width: 100%; height: 16px; display: block }
.axis { color: var(--soft); font-size: 11px; border-bottom: 1px solid var(--line); margin-bottom: 4px }
.ticks { display: flex; justify-content: space-between }
.http { fill: var(--http) } .wait { fill: var(--wait) } .task { fill: var(--task) }
.own { fill: var(--own) } .execution { fill: var(--execution) } .mark { fill: var(--mark) }
.more { margin: 2px 6px 8px 20px; display: grid; grid-template-columns: max-content 1fr; gap: 0 14px; font-size: 12px }
.more dt { color: var(--soft) }
.more dd { margin: 0; overflow-wrap: anywhere; font-family: ui-monospace, Menlo, Consolas, monospace }
.flame { overflow-x: auto }
.flame svg { max-width: 100%; height: auto; min-width: 700px }
${INDENTS}
`;

/** @returns the source expression of a security policy that lets in exactly this text. */
export async function styleHash(style: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(style));
  return `'sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}'`;
}
