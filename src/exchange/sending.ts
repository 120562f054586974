import { ownCopy } from '../dialects/own-copy.ts';
import type { Arrival } from './arrival.ts';
import { Attempts } from './attempts.ts';
import type { Call } from './call.ts';
import { targetFields } from './draft.ts';
import { type Inspection, type Outgoing, writeFor, writeOut } from './inspect.ts';
import type { ForwardDecision } from './messages.ts';
import { beginReply, finish, passReply } from './replying.ts';
import type { Served } from './serve.ts';
import { guessedUsage } from './settle.ts';
import { signedEdit } from './signing.ts';

/** A request larger than this is not held on to for counting: 8 MiB. */
const maxHeldBytes = 8 * 1024 * 1024;

/** Asks the provider, in its own words. `received`: as the caller sent it. */
export async function ask(call: Call, inspection: Inspection, received: Buffer): Promise<ForwardDecision> {
  const { served, servers } = inspection;
  if (servers.servers.length > 1) return tryInTurn(call, inspection);
  const out = await writeOut(inspection, call.id, call.services);
  if (out.kind === 'refused') return call.refuse(out.refusal);
  goesTo(call, served, out);
  return forward(call, served.arrival, out.body === received ? undefined : out.body, received);
}

/** Several may serve it: Envoy tries one after the other, and each attempt asks what it is to send. */
async function tryInTurn(call: Call, { servers, routed }: Inspection): Promise<ForwardDecision> {
  const { id, head, services } = call;
  const attempted: ConstructorParameters<typeof Attempts>[0] = {
    id,
    head,
    async goesTo(served, bytes, number) {
      const out = await writeFor({ bytes, asking: routed.arrival, served }, id, services);
      if (out.kind === 'refused') throw new Error(out.refusal.message);
      goesTo(call, served, out);
      call.forwarded = served.arrival;
      call.note({ ...targetFields(served.arrival, services.fingerprint), attempts: number });
      const signed = { arrival: served.arrival, head, body: out.body };
      return { body: out.body, edit: await signedEdit(signed, services) };
    },
    record: () => call.record,
    tried: (attempts) => call.note({ attempts }),
    responseHead: (received) => beginReply(call, received),
    responseBody: (bytes, ended) => passReply(call, bytes, ended),
    note: (record) => services.ledger.close(record),
    finish: () => finish(call),
  };
  const attempts = new Attempts(attempted, servers, services);
  call.attempts = attempts;
  call.attempted.set(id, attempts);
  await forward(call, servers.servers[0].arrival);
  return { ...attempts.forward(), ...(routed.body && { body: routed.body }) };
}

/** This one has the call: its reply is read and told as it speaks. The body is held for counting, if there is room. */
function goesTo(call: Call, { facts, model, arrival, envelope }: Served, out: Outgoing): void {
  const { held } = call.services;
  const { body, filter, reply } = out;
  held.give(call.inspected?.requestBody?.length ?? 0);
  const isHeld = body.length <= maxHeldBytes && held.take(body.length);
  const changes = { filter, translated: reply, unframer: envelope?.unframe?.() ?? null };
  call.inspected = { facts, model, requestBody: isHeld ? ownCopy(body) : null, changes };
  call.arrival = arrival;
}

/** Goes on to the provider: from here on the call leaves a trace, whatever happens. `body`: in place of what came. */
export async function forward(
  call: Call,
  arrival: Arrival,
  body?: Buffer,
  received: Buffer = Buffer.alloc(0),
): Promise<ForwardDecision> {
  const { record, inspected, services } = call;
  if (record)
    await services.ledger.open({ ...record, ...(inspected && guessedUsage(inspected.facts.textChars)) });
  call.forwarded = arrival;
  // A body that weir has not read cannot be signed: its provider refuses it.
  const signed = { arrival, head: call.head, body: body ?? received };
  const edit = await signedEdit(signed, services);
  return { kind: 'forward', edit, ...(body && { body }) };
}
