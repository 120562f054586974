import type { UsageRecord } from '../usage/record.ts';
import { modelHeader, moneyHeaders } from './answers.ts';
import { comparison } from './baseline.ts';
import type { Call } from './call.ts';
import { providerIds } from './draft.ts';
import { learnFrom } from './learn.ts';
import type { BodyEdit, ResponseHead, ResponsePlan } from './messages.ts';
import { priceFields } from './pricing.ts';
import { Reply, unchanged } from './reply.ts';
import { replyFields, settle } from './settle.ts';

/** A reply begins, of the provider or of Envoy. */
export function beginReply(call: Call, received: ResponseHead): ResponsePlan {
  const { arrival, inspected, listing, services } = call;
  const record = () => (call.attempts?.isStandIn ? null : (call.lookup?.record() ?? null));
  const changes = inspected?.changes ?? unchanged;
  const reply = new Reply(received, { arrival, changes, listing }, services, record);
  call.reply = reply;
  const { head } = reply;
  call.note({ status: head.status, ...providerIds(head.headers) });
  if (!head.fromProvider) call.note({ errorCode: head.headers.get('x-weir-error') ?? 'upstream_error' });
  const told = call.headers();
  if (call.record && inspected) {
    told['x-weir-cache'] = call.record.cache;
    Object.assign(told, modelHeader(inspected.model));
    if (call.record.attempts > 1) told['x-weir-attempts'] = String(call.record.attempts);
  }
  return reply.plan(told);
}

/** A piece of its body goes by. */
export async function passReply(call: Call, received: Buffer, ended: boolean): Promise<BodyEdit> {
  const { reply, services } = call;
  if (!reply) return {};
  if (call.record?.firstChunkMs === null) call.note({ firstChunkMs: services.now() - call.startedAt });
  const { bytes, visible, set } = await reply.push(received, ended);
  const given = call.inspected?.changes.translated ? visible : bytes;
  await reply.observation.push(bytes, given).catch((error: unknown) => {
    services.log.error({ err: error, exchange: call.id }, 'a reply could not be read');
  });
  if (!call.attempts?.isStandIn) call.lookup?.begin(reply.head);
  const edit = visible === received ? {} : { body: visible };
  if (!ended) return edit;
  // Before the caller has the end of it: who asks again at once gets this answer.
  endReply(call, reply);
  // Who does not know of weir is not told of money.
  const isTold = reply.observation.observe === 'whole' && !call.arrival?.intercepted;
  const headers = { ...set, ...(isTold && call.record && moneyHeaders(call.record)) };
  return Object.keys(headers).length === 0 ? edit : { ...edit, headers: { set: headers, remove: [] } };
}

/** The reply is whole: what it tells is written down, and it may be given again. */
function endReply(call: Call, reply: Reply): void {
  reply.ended = true;
  if (!call.record || !call.arrival) return;
  call.note(replyFields(reply.observation.facts(), call.record, call.inspected?.model ?? null));
  call.note(priceFields(call.record, call.arrival, call.services.pricer));
  call.note(comparison(call.record, call.services));
  keep(call, call.record, reply);
}

function keep(call: Call, record: UsageRecord, { ended, head, observation }: Reply): void {
  if (!ended || call.inspected?.changes.translated?.failed || call.attempts?.isStandIn) return;
  const kept = call.lookup?.end(record, observation, head);
  if (kept) call.closing(kept);
}

/** Neither the call nor an attempt of it goes on. What is left to do is done behind. */
export function finish(call: Call): void {
  const { reply, lookup, forwarded, inspected, services } = call;
  call.attempted.delete(call.id);
  // Some clients hang up as soon as they have read the last event: that is an end as well.
  if (reply?.ended === false && reply.observation.facts().complete) endReply(call, reply);
  lookup?.abandon(reply?.ended || reply?.head.fromProvider === false);
  // Nothing but what was forwarded can have used anything; what is served still runs.
  if (!forwarded && !call.isServed) call.admission?.close('free');
  if (!forwarded || !call.record) return;
  call.forwarded = null;
  const ended = {
    record: { ...call.record, endedAt: services.now() },
    arrival: forwarded,
    requestBody: inspected?.requestBody ?? null,
    model: inspected?.model ?? null,
    textChars: inspected?.facts.textChars ?? 0,
    response: reply?.head ?? null,
    observation: reply?.observation ?? null,
    ended: reply?.ended ?? false,
    routed: call.routed,
  };
  call.closing(
    settle(ended, services)
      .then((record) => {
        call.writeDown(record);
        learnFrom(record, ended, services);
        // What it costs is known only now.
        if (record.usageSource !== 'provider' && reply) keep(call, record, reply);
      })
      .finally(() => {
        call.admission?.close('free');
        ended.observation?.release();
        services.held.give(ended.requestBody?.length ?? 0);
      }),
  );
}
