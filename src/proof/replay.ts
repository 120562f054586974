import type { Logger } from 'pino';
import type { Config } from '../config/schema.ts';
import { editMembers } from '../dialects/openai/edit-members.ts';
import { dialectByName } from '../dialects/registry.ts';
import { pathAt, splitBase } from '../dialects/target.ts';
import type { OwnCall, OwnCalls } from '../identity/own-calls.ts';
import { placeOf } from '../routing/candidates.ts';
import { dialectAt } from '../routing/carry.ts';
import { chatEndpoints } from '../routing/chat-endpoints.ts';
import type { Place } from '../routing/router.ts';
import type { createEgressClient, EgressReply } from './client.ts';
import { bothOrders, judgeBody, judgeDialects, maxJudgedChars, type Verdict, verdictIn } from './judge.ts';

/** A routed call that has ended well. */
export interface RoutedCall {
  exchange: string;
  organization: string;
  apiKey: string | null;
  complexity: string | null;
  /** Who took it. */
  routed: Place;
  /** The one that it is compared with. */
  baseline: Place;
  /** In which the provider got it. */
  dialect: string;
  /** As the provider got it. */
  body: Buffer;
  answer: string;
  judgeModel: string | undefined;
}

export interface Comparison {
  call: RoutedCall;
  replay: string | null;
  /** Of the routed answer against the other; null: nobody judged. */
  verdict: Verdict | null;
}

/** Running comparisons, and those that wait: beyond that a call is not replayed. */
const maxRunning = 2;
const maxWaiting = 32;
/** Larger requests are not replayed. */
const maxBodyBytes = 128 * 1024;

/**
 * Sends routed calls to the model that was asked for as well, and has both answers compared; off every call's way,
 * few at a time. A prompt and its answers are held while their comparison runs, and no longer.
 */
export function createReplays(options: {
  providers: Config['providers'];
  models: Config['models'];
  client: ReturnType<typeof createEgressClient>;
  own: OwnCalls;
  /** null: there is nowhere to keep it, so nothing is replayed. */
  keep: ((comparison: Comparison) => Promise<void>) | null;
  log: Logger;
}) {
  const { providers, models, client, own, keep, log } = options;
  const waiting: RoutedCall[] = [];
  const running = new Set<Promise<void>>();
  const stopped = new AbortController();

  function pathOf({ provider, model }: Place, dialect: string): string | null {
    const config = providers[provider];
    const endpoint = chatEndpoints[dialect]?.(model);
    if (!config || endpoint === undefined || dialectAt(config.api, dialect) !== dialect) return null;
    return `/providers/${provider}${pathAt(config, endpoint).slice(splitBase(config.base_url).path.length)}`;
  }

  async function ask(
    { organization, apiKey, exchange }: RoutedCall,
    { purpose, to }: Pick<OwnCall, 'purpose' | 'to'>,
    path: string,
    body: Uint8Array | string,
  ) {
    const credential = own.credential({ organization, apiKey, purpose, of: exchange, to });
    return client.post(path, credential, body, stopped.signal);
  }

  async function judge(call: RoutedCall, other: string): Promise<Verdict | null> {
    if (call.judgeModel === undefined) return null;
    const { provider, model } = placeOf(call.judgeModel, { providers, models });
    const api = provider === null ? undefined : providers[provider]?.api;
    const dialect = Object.entries(judgeDialects).find(([family]) => family === api)?.[1];
    const to = provider === null ? null : { provider, model };
    const path = to && dialect ? pathOf(to, dialect) : null;
    if (!to || !path || !dialect) {
      log.warn(
        { judge: call.judgeModel },
        'the judge is a model of no provider that can be asked: nothing is judged',
      );
      return null;
    }
    const request = dialectByName(call.dialect).readPrompt(call.body).texts.join('\n');
    if (request.length + call.answer.length + other.length > maxJudgedChars) return null;
    const verdict = async (first: string, second: string) => {
      const body = judgeBody(dialect, { model, request, first, second });
      const reply = await ask(call, { purpose: 'judge', to }, path, body);
      return verdictIn(textOf(dialect, reply) ?? '');
    };
    const straight = await verdict(call.answer, other);
    return bothOrders(straight, await verdict(other, call.answer));
  }

  async function compare(call: RoutedCall): Promise<void> {
    // Where the routed call went its dialect is spoken; from there it is translated where it has to be.
    const path = pathOf({ ...call.routed, model: call.baseline.model }, call.dialect);
    if (path === null || !keep) return;
    const edits = { model: JSON.stringify(call.baseline.model), stream: 'false', stream_options: null };
    const isWhole = call.dialect === 'gemini-generate';
    const body = isWhole ? call.body : editMembers(call.body, edits);
    const reply = await ask(call, { purpose: 'replay', to: call.baseline }, path, body);
    const other = textOf(call.dialect, reply);
    if (other === null) return;
    const verdict = await judge(call, other).catch((error: unknown) => {
      log.warn({ err: error, exchange: call.exchange }, 'two answers could not be judged');
      return null;
    });
    await keep({ call, replay: reply.exchange, verdict });
  }

  function next(): void {
    while (running.size < maxRunning && !stopped.signal.aborted) {
      const call = waiting.shift();
      if (!call) return;
      const work = compare(call)
        .catch((error: unknown) => {
          if (!stopped.signal.aborted)
            log.warn({ err: error, exchange: call.exchange }, 'a routed call could not be replayed');
        })
        .finally(() => {
          running.delete(work);
          next();
        });
      running.add(work);
    }
  }

  return {
    offer(call: RoutedCall): void {
      if (waiting.length >= maxWaiting || call.body.length > maxBodyBytes || stopped.signal.aborted) return;
      waiting.push(call);
      next();
    },
    /** What runs is cut off: it proves something, and owes nobody an answer. */
    async stop(): Promise<void> {
      stopped.abort();
      waiting.length = 0;
      await Promise.all(running);
      await client.close();
    },
  };
}

/** What a good answer says; null: it is none. */
function textOf(dialect: string, { status, body }: EgressReply): string | null {
  if (status !== 200) return null;
  const head = { status, contentType: 'application/json', headers: new Map<string, string>() };
  const { text, complete } = dialectByName(dialect).readReply(body, head);
  return complete && text.texts.length > 0 ? text.texts.join('') : null;
}
