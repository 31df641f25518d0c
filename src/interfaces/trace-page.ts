/** The page behind `/traces/{id}/visualize`: where the time of an execution went, readable without any script or other file. */
import type { ReadTrace } from '../../queries/telemetry.ts';
import { Document } from '../domain/document.ts';
import { counted, formatMs } from '../domain/duration.ts';
import { analysisOf, type TraceAnalysis } from '../domain/trace-analysis.ts';
import { traceSvg } from '../domain/trace-flamegraph.ts';
import { durationOf } from '../domain/trace-tree.ts';
import { Html, html } from './html.ts';
import { styleHash, TRACE_STYLE } from './trace-page-style.ts';
import { anchorOf, waterfall } from './trace-waterfall.ts';

/** Links from a bottleneck or insight to its spans. */
const MAX_LINKS = 5;
const REFRESH_SECONDS = 5;

/** @param isServed links to the JSON beside the page make sense, and a page of what still runs loads itself again */
export async function tracePage(trace: ReadTrace, isServed: boolean): Promise<Document> {
  const { execution, tree, around } = trace;
  const { hasEnded } = around;
  const analysis = analysisOf(tree, around);
  const refresh = isServed && !hasEnded ? html`<meta http-equiv="refresh" content="${REFRESH_SECONDS}">` : null;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
${refresh}<title>${execution.task_name}: ${execution.status}</title>
<style>${new Html(TRACE_STYLE)}</style>
</head>
<body>
${header(trace, hasEnded)}
${isServed ? links(execution.execution_id) : null}
${error(trace)}
<div class="lists">
<section><h2>Insights</h2>${list(analysis.insights, 'Nothing worth a word.')}</section>
<section><h2>Bottlenecks</h2>${list(analysis.bottlenecks, 'None.')}</section>
</div>
<section><h2>Spans</h2>${waterfall(tree, analysis.criticalPath)}</section>
<section><h2>Critical path</h2>${critical(analysis)}</section>
<section><h2>Flamegraph</h2><div class="flame">${new Html(traceSvg(tree))}</div></section>
</body>
</html>
`;
  const policy = `default-src 'none'; style-src ${await styleHash(TRACE_STYLE)}; base-uri 'none'; form-action 'none'; frame-ancestors 'self'`;
  return new Document('text/html', page.markup, {
    'content-security-policy': policy,
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
  });
}

function header({ execution, tree }: ReadTrace, hasEnded: boolean): Html {
  const ms = execution.duration_ms ?? durationOf(tree.root);
  const told: readonly (readonly [string, string])[] = [
    ['execution', execution.execution_id],
    ['version', String(execution.task_version)],
    ['attempt', String(execution.attempt)],
    ['duration', `${formatMs(ms)}${hasEnded ? '' : ' so far'}`],
    ['steps', String(execution.steps)],
    ['log lines', String(execution.log_lines)],
    ['started', execution.started_at ?? 'not yet'],
    ['by', execution.principal],
    ['trace', execution.trace_id],
  ];
  const facts = told.map(([key, value]) => html`<div><dt>${key}</dt> <dd>${value}</dd></div>`);
  return html`<header><h1>${execution.task_name}</h1> <span class="status ${execution.status}">${execution.status}</span>
<dl class="facts">${facts}</dl></header>`;
}

/** Relative, so that they hold below any prefix. */
function links(executionId: string): Html {
  const id = encodeURIComponent(executionId);
  const told: readonly (readonly [string, string])[] = [
    ['trace (JSON)', `../${id}`],
    ['steps (JSON)', 'steps'],
    ['logs (JSON)', `../../logs/${id}`],
    ['flamegraph (SVG)', `../${id}?format=svg`],
    ['folded stacks', `../${id}?format=folded`],
    ['speedscope', `../${id}?format=speedscope`],
  ];
  return html`<nav>${told.map(([text, url]) => html`<a href="${url}">${text}</a>`)}</nav>`;
}

function error({ execution }: ReadTrace): Html | null {
  const { error_code: code, error_name: name, error_message: message } = execution;
  if (code === null) return null;
  return html`<section class="error"><h2>${name ?? 'Error'} (${code})</h2><pre>${message ?? ''}</pre></section>`;
}

interface Told {
  readonly message: string;
  readonly spanIds: readonly string[];
}

function list(entries: readonly Told[], none: string): Html {
  if (entries.length === 0) return html`<p class="none">${none}</p>`;
  return html`<ul>${entries.map(({ message, spanIds }) => html`<li>${message}${spanLinks(spanIds)}</li>`)}</ul>`;
}

function spanLinks(spanIds: readonly string[]): readonly Html[] {
  return spanIds.slice(0, MAX_LINKS).map((id, index) => html` <a href="#${anchorOf(id)}">[${index + 1}]</a>`);
}

/** The longest parts; the waterfall marks all of them. */
const MAX_PARTS = 15;

function critical({ criticalPath }: TraceAnalysis): Html {
  const longest = new Set(criticalPath.toSorted((a, b) => b.durationMs - a.durationMs).slice(0, MAX_PARTS));
  const parts = criticalPath
    .filter((part) => longest.has(part))
    .map(({ name, durationMs, percent, spanId }) => {
      const own = html`<a href="#${anchorOf(spanId)}">${name}</a>`;
      return html`<li>${own}: ${formatMs(durationMs)}, ${percent} %</li>`;
    });
  if (parts.length === 0) return html`<p class="none">Nothing took time yet.</p>`;
  const left = criticalPath.length - parts.length;
  const more = left > 0 ? html`<p class="none">${counted(left, 'shorter part')} between them.</p>` : null;
  return html`<ul>${parts}</ul>${more}`;
}
