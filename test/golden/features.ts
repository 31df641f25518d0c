/** One small task for each feature of the journal; their recordings stand beside this file and are replayed for ever. */

export interface Feature {
  readonly name: string;
  readonly code: string;
  /** May use the address of the loopback API as `input.api`. */
  readonly more?: object;
  /** What is answered to its question. */
  readonly answer?: string;
  /** Recorded is the fork from this step. */
  readonly forkFrom?: string;
}

const promise = (body: string): string => `async function main(input) {\n${body}\n}`;
const blocking = (body: string): string => `function main(input) {\n${body}\n}`;

export const FEATURES: readonly Feature[] = [
  { name: 'clock-and-randomness', code: blocking('return [Date.now(), new Date().getDay(), Math.random(), crypto.randomUUID(), performance.now()];') },
  { name: 'temporal-and-intl', code: blocking('return [String(Temporal.Now.instant()), new Intl.DateTimeFormat("en", { timeZone: "UTC" }).format()];') },
  { name: 'blocking-fetch', code: blocking('const a = fetch(`${input.api}/json`); console.info("got", { status: a.status }); return a.body;') },
  { name: 'blocking-fetch-error', code: blocking('try { fetch(`${input.api}/status/503`); } catch (error) { return [error.name, error.status]; }') },
  { name: 'promise-fetch', code: promise('const a = await fetch(`${input.api}/json`); return { status: a.status, body: await a.json() };') },
  { name: 'concurrent-fetches', code: promise('return Promise.all([3, 1, 2].map(async (n) => { const r = await fetch(`${input.api}/json?n=${n}`); return [n, r.status, Date.now()]; }));') },
  { name: 'race-fetch-and-timer', code: promise('const late = new Promise((resolve) => setTimeout(resolve, 20, "timer"));\nconst first = await Promise.race([late, fetch(`${input.api}/json`).then(() => "fetch")]);\nawait late;\nreturn [first, Date.now()];') },
  { name: 'timers', code: promise('const seen = [];\nconst every = setInterval(() => seen.push(["every", Date.now()]), 3);\nawait new Promise((resolve) => setTimeout(resolve, 10));\nclearInterval(every);\nreturn seen;') },
  { name: 'sleep', code: promise('await Promise.all([sleep(8), sleep(4)]); console.log("slept"); return Date.now();') },
  { name: 'blocking-sleep', code: blocking('const before = Date.now(); sleep(5); return Date.now() - before >= 5;') },
  { name: 'nested-steps', code: promise('return step("outer", async () => { await sleep(2); const inner = await step("inner", async () => { await sleep(1); return 1; }); console.log("inner", { inner }); return inner + 1; });') },
  { name: 'spans', code: promise('return span("load", async () => { await sleep(2); return span("parse", () => 7); });') },
  { name: 'progress', code: blocking('reportProgress({ progress: 0.5, message: "half", data: { n: 1 } }); reportProgress({ progress: 1 }); return "done";') },
  { name: 'thrown-error', code: blocking('throw new ValidationError("no good");') },
  { name: 'caught-network-error', code: promise('try { await fetch("http://127.0.0.1:1/"); } catch (error) { return error.name; }') },
  { name: 'url-and-text', code: blocking('const url = new URL("/a?b=1", "https://example.com"); return [url.href, [...new TextEncoder().encode("é")], atob(btoa("x"))];') },
  { name: 'large-values', code: blocking('return "x".repeat(input.size);'), more: { size: 200_000 } },
  { name: 'question', code: blocking('const said = ask("go on?", { type: "string" }); return [said, Date.now(), Math.random()];'), answer: 'yes' },
  { name: 'fork', code: blocking('const a = fetch(`${input.api}/json`).body; const r = Math.random(); const b = fetch(`${input.api}/echo`, { method: "POST", body: String(r) }).body.body; return [a.message, r === Number(b)];'), forkFrom: '2' },
];
