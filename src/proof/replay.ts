import type { Logger } from 'pino';
import type { Config } from '../config/schema.ts';
import { editMembers } from '../dialects/openai/edit-members.ts';
import { dialectByName } from '../dialects/registry.ts';
import { pathAt, splitBase } from '../dialects/target.ts';
import type { OwnCall, OwnCalls } from '../identity/own-calls.ts';
import { placeOf } from '../routing/candidates.ts';
import { dialectAt } from '../routing/carry.ts';
import type { Place } from '../routing/router.ts';
import type { createEgressClient, EgressReply } from './client.ts';
import { bothOrders, judgeBody, maxJudgedChars, type Verdict, verdictIn } from './judge.ts';

/** A routed call that has ended well. */
export interface RoutedCall {
  exchange: string;
  organization: string;
  apiKey: string | null;
  complexity: string | null;
  /** The model that took it. */
  routed: string;
  /** The one that it is compared with. */
  baseline: Place;
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

/** In which dialects a call is replayed, and where they lie. */
const endpoints: Record<string, string> = {
  'openai-chat': '/chat/completions',
  'openai-responses': '/responses',
  'anthropic-messages': '/messages',
};

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

  function pathOf({ provider }: Place, dialect: string): string | null {
    const config = providers[provider];
    const endpoint = endpoints[dialect];
    if (!config || endpoint === undefined || dialectAt(config.api, dialect) !== dialect) return null;
    return `/providers/${provider}${pathAt(config, endpoint).slice(splitBase(config.base_url).path.length)}`;
  }

  async function ask(call: RoutedCall, purpose: OwnCall['purpose'], path: string, body: Uint8Array | string) {
    const { organization, apiKey, exchange } = call;
    return client.post(
      path,
      own.credential({ organization, apiKey, purpose, of: exchange }),
      body,
      stopped.signal,
    );
  }

  async function judge(call: RoutedCall, other: string): Promise<Verdict | null> {
    if (call.judgeModel === undefined) return null;
    const { provider, model } = placeOf(call.judgeModel, { providers, models });
    const api = provider === null ? undefined : providers[provider]?.api;
    const dialect = api === 'anthropic' ? 'anthropic-messages' : 'openai-chat';
    const path = provider === null ? null : pathOf({ provider, model }, dialect);
    const request = dialectByName(call.dialect).readPrompt(call.body).texts.join('\n');
    if (path === null || request.length + call.answer.length + other.length > maxJudgedChars) return null;
    const verdict = async (first: string, second: string) => {
      const reply = await ask(call, 'judge', path, judgeBody(dialect, { model, request, first, second }));
      return verdictIn(textOf(dialect, reply) ?? '');
    };
    const straight = await verdict(call.answer, other);
    return bothOrders(straight, await verdict(other, call.answer));
  }

  async function compare(call: RoutedCall): Promise<void> {
    const path = pathOf(call.baseline, call.dialect);
    if (path === null || !keep) return;
    const edits = { model: JSON.stringify(call.baseline.model), stream: 'false', stream_options: null };
    const reply = await ask(call, 'replay', path, editMembers(call.body, edits));
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
