/** A language model behind an OpenAI-compatible service. The key goes to that service and nowhere else. */
import { z } from 'zod';
import { RatchetError } from '../src/domain/errors.ts';
import type { JsonObject } from '../src/domain/event.ts';
import { type Completion, type LanguageModel, ModelRefusal } from '../src/ports/language-model.ts';
import { type Outbound, OutboundError, type OutboundResponse } from '../src/ports/outbound.ts';
import { withoutSecrets } from './redaction.ts';

export interface LanguageModelOptions {
  /** Such as `https://api.example.com/v1`; null: no service. */
  readonly baseUrl: string | null;
  readonly apiKey: string | null;
  /** Asked for where the request names none. */
  readonly model: string | null;
  readonly timeoutMs: number;
}

const requestForm = z.looseObject({
  messages: z.array(z.looseObject({ role: z.string() })).min(1),
  model: z.string().optional(),
  stream: z.literal(false).optional(),
});

const answerForm = z.looseObject({
  model: z.string().nullish(),
  choices: z.array(z.looseObject({ message: z.json(), finish_reason: z.string().nullish() })).min(1),
  usage: z.json().optional(),
});
const messageForm = z.looseObject({ content: z.string().nullish() });
const errorForm = z.looseObject({ error: z.looseObject({ message: z.string() }) });

/** @param outbound reaches the address that the operator has configured, wherever that is */
export function openLanguageModel(options: LanguageModelOptions, outbound: Pick<Outbound, 'send'>): LanguageModel {
  return {
    complete: async (request, maxBytes, signal) => {
      const { baseUrl, apiKey, timeoutMs } = options;
      if (baseUrl === null) {
        throw new RatchetError('unsupported', 'no language model is configured: set llm.base_url');
      }
      const body = checked(request, options.model);
      const answer = await outbound.send(
        {
          method: 'POST',
          url: `${baseUrl.replace(/\/$/, '')}/chat/completions`,
          headers: [
            ['content-type', 'application/json'],
            ['accept', 'application/json'],
            ...(apiKey === null ? [] : [['authorization', `Bearer ${apiKey}`] as const]),
          ],
          body: Buffer.from(JSON.stringify(body)),
          timeoutMs,
          maxBodyBytes: maxBytes,
          redirect: 'error',
          credentialHeaders: ['authorization'],
          bodyHoldsSecrets: false,
        },
        signal,
      );
      return completionIn(withoutKey(answer, apiKey));
    },
  };
}

/** Some services repeat the key that they refuse; what they say goes into the record. */
function withoutKey(answer: OutboundResponse, apiKey: string | null): OutboundResponse {
  if (apiKey === null) return answer;
  return { ...answer, body: Buffer.from(withoutSecrets(Buffer.from(answer.body).toString(), [apiKey])) };
}

function checked(request: JsonObject, model: string | null): JsonObject {
  const form = requestForm.safeParse(request);
  if (!form.success) {
    const [issue] = form.error.issues;
    throw new RatchetError('invalid_request', `llm.complete: ${issue?.path.join('.')}: ${issue?.message}`);
  }
  if (form.data.model !== undefined) return request;
  if (model === null) throw new RatchetError('invalid_request', 'llm.complete: name a model, or set llm.model');
  return { ...request, model };
}

function completionIn(answer: OutboundResponse): Completion {
  const told = jsonIn(answer);
  if (answer.status < 200 || answer.status > 299) {
    const said = errorForm.safeParse(told);
    const why = said.success ? said.data.error.message.slice(0, 1_000) : answer.statusText;
    throw new ModelRefusal(answer.status, `the language model answered ${answer.status}: ${why}`, retryAfter(answer));
  }
  const form = answerForm.safeParse(told);
  const choice = form.data?.choices[0];
  if (!form.success || choice === undefined) {
    throw new OutboundError('network', 'the language model did not answer in the form of a chat completion');
  }
  const message = messageForm.safeParse(choice.message);
  return {
    text: message.data?.content ?? '',
    message: choice.message,
    model: form.data.model ?? null,
    finish_reason: choice.finish_reason ?? null,
    usage: form.data.usage ?? null,
  };
}

function jsonIn({ body }: OutboundResponse): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString());
  } catch {
    return null;
  }
}

function retryAfter({ headers }: OutboundResponse): number | null {
  const seconds = Number(headers.find(([name]) => name === 'retry-after')?.[1] ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : null;
}
