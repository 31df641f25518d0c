/** Answers the calls of a test by its mocks, each as often as it may, and keeps in mind which calls no mock stands for. */
import { writtenHttpValue } from '../domain/http-value.ts';
import type { Outcome } from '../domain/journal.ts';
import type { HttpMock, StepMock, TaskTest } from '../ports/task-source.ts';
import type { OpenCall } from './attempt-plan.ts';
import { plainError } from './perform-steps.ts';

/** What a mock gives a call; `outcome` is null where it never answers. */
export interface MockAnswer {
  readonly outcome: Outcome | null;
  readonly delayMs: number;
  readonly order: number | null;
}

export class Mocks {
  readonly #http: readonly HttpMock[];
  readonly #steps: readonly StepMock[];
  readonly #given = new Map<HttpMock | StepMock, number>();
  readonly #unmatched: string[] = [];

  constructor({ mocks, stepMocks = [] }: Pick<TaskTest, 'mocks' | 'stepMocks'>) {
    this.#http = mocks;
    this.#steps = stepMocks;
  }

  /** What was called without a mock, in words. */
  get unmatched(): readonly string[] {
    return this.#unmatched;
  }

  /** @returns what the first mock gives that fits and is not used up; null when there is none. */
  take(call: OpenCall): MockAnswer | null {
    const isFree = (mock: HttpMock | StepMock): boolean =>
      mock.times === undefined || (this.#given.get(mock) ?? 0) < mock.times;
    const mock =
      call.kind === 'http'
        ? this.#http.find((candidate) => isFree(candidate) && fitsHttp(candidate, call))
        : this.#steps.find((candidate) => isFree(candidate) && fitsStep(candidate, call));
    if (mock === undefined) return null;
    this.#given.set(mock, (this.#given.get(mock) ?? 0) + 1);
    const outcome = mock.never === true ? null : outcomeOf(mock, call);
    return { outcome, delayMs: mock.delayMs ?? 0, order: mock.order ?? null };
  }

  /** Notes a call without a mock. @returns the error that it gets. */
  refuse(call: OpenCall): Outcome {
    if (call.kind !== 'http') {
      this.#unmatched.push(`a ${call.kind} step (${call.name}) was made while the test mocks the outside`);
      return { ok: false, error: plainError('ConfigurationError', `no mock for ${call.name}`) };
    }
    const used = this.#http.some((mock) => fitsHttp(mock, call)) ? ' any more' : '';
    const said = `no mock matches ${String(call.request['method'])} ${String(call.request['url'])}${used}`;
    this.#unmatched.push(said);
    return { ok: false, error: plainError('NetworkError', said) };
  }
}

function fitsHttp(mock: HttpMock, call: OpenCall): boolean {
  const url = String(call.request['url']);
  const method = String(call.request['method'] ?? 'GET').toUpperCase();
  if (mock.method !== null && mock.method.toUpperCase() !== method) return false;
  return mock.url === `${method}:${url}` || url.includes(mock.url);
}

function fitsStep({ kind, name }: StepMock, call: OpenCall): boolean {
  return kind === call.kind && (name === undefined || name === call.name);
}

function outcomeOf(mock: HttpMock | StepMock, call: OpenCall): Outcome {
  if (mock.error !== undefined) return { ok: false, error: { ...mock.error, stack: null, cause: null } };
  if ('response' in mock) return { ok: true, value: writtenHttpValue(mock.response, String(call.request['url'])) };
  return { ok: true, value: mock.value };
}
