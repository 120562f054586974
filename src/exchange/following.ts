import { setTimeout } from 'node:timers/promises';
import type { Beginning, Flight } from '../cache/flights/flight.ts';
import type { UsageRecord } from '../usage/record.ts';
import { givenFields } from './keeping.ts';
import type { Giving, Lookup } from './lookup.ts';
import type { Serving } from './messages.ts';

/** Calls that one may wait for, each of which is gone before it ends; then the provider is asked. */
const maxFlights = 8;

/**
 * What came of waiting for an equal call.
 * - `given`: its answer, or one that is kept by now.
 * - `stream`: it comes, in the form that is wanted; whoever reads it leaves the flight at the end.
 * - `forward`: the provider is asked; perhaps others wait now.
 * - `left`: the caller hung up.
 */
export type Followed = Giving | Stream | { kind: 'forward' } | { kind: 'left' };

interface Stream {
  kind: 'stream';
  lookup: Lookup;
  flight: Flight;
  beginning: Beginning;
}

/** Waits for an equal call; for the next, when that is gone. */
export async function follow(lookup: Lookup, first: Flight, left: AbortSignal): Promise<Followed> {
  let flight = first;
  const hungUp = new Promise<'left'>((resolve) => {
    if (left.aborted) resolve('left');
    left.addEventListener('abort', () => resolve('left'));
  });
  for (let count = 0; count < maxFlights; count++) {
    flight.join();
    const beginning = await Promise.race([flight.begun, hungUp]);
    if (beginning !== 'left' && beginning?.recording.ending === null) {
      if (lookup.canRead(beginning) && beginning.recording.isHeld)
        return { kind: 'stream', lookup, flight, beginning };
    }
    const landing = beginning === 'left' ? beginning : await Promise.race([flight.landed, hungUp]);
    flight.leave();
    if (landing === 'left') return { kind: 'left' };
    const given = landing.kind === 'answer' ? lookup.give(landing.answer) : null;
    if (given) return { kind: 'given', given, cache: 'coalesced' };
    if (landing.kind !== 'gone') break;
    const found = await lookup.find(flight);
    if (found.kind !== 'follow') return found;
    flight = found.flight;
  }
  lookup.count('miss', null);
  return { kind: 'forward' };
}

const unbilled = { cache: 'coalesced', attempts: 0, costUsd: '0' } as const;
/** The record of a call whose caller hung up while it waited. */
export const leftFields: Partial<UsageRecord> = { ...unbilled, outcome: 'disconnected' };

/** Who hangs up when it has read the last event does so before the end of the stream is known: it comes within this. */
const endMs = 1_000;

/** A stream that comes, for one of those who wait for it. Resolves `told` with what the ledger shall say of the call. */
export function serveStream(
  { lookup, flight, beginning }: Stream,
  headers: Record<string, string>,
): { serving: Serving; told: Promise<Partial<UsageRecord>> } {
  const { promise: told, resolve } = Promise.withResolvers<Partial<UsageRecord>>();
  const { recording } = beginning;
  let given = 0;
  const serving: Serving = {
    headers: {
      'content-type': beginning.contentType,
      'x-weir-cache': 'coalesced',
      'x-weir-cost-usd': '0',
      ...headers,
    },
    async *read(stop) {
      const reading = lookup.read(beginning, stop);
      for (;;) {
        const next = await reading.next();
        if (next.done) return next.value;
        given += next.value.length;
        yield next.value;
      }
    },
    async ended(how) {
      if (how === 'left') await Promise.race([flight.landed, setTimeout(endMs, null, { ref: false })]);
      const { landing } = flight;
      const facts =
        landing?.kind === 'answer' ? landing.answer : landing?.kind === 'unshared' ? landing.facts : null;
      const isWhole = how === 'whole' || (recording.ending === 'whole' && given >= recording.length);
      const outcome = isWhole ? 'completed' : how === 'left' ? 'disconnected' : 'interrupted';
      flight.leave();
      lookup.count('coalesced', facts);
      resolve({
        ...unbilled,
        ...(facts && givenFields(facts, 'coalesced')),
        status: beginning.status,
        outcome,
      });
    },
  };
  return { serving, told };
}
