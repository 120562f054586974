import type { SpokenName } from '../config/dialects.ts';
import type { Part, Signature } from './neutral.ts';
import type { Own } from './own.ts';
import type { TokenUsage } from './usage.ts';

/** A whole answer. */
export interface NeutralReply {
  dialect: SpokenName;
  /** The provider's id of it. */
  id: string | null;
  /** The model that answered. */
  model: string | null;
  /** Epoch seconds; null where the dialect does not tell it. */
  created: number | null;
  /** What was answered, in order: text, refusals, thinking, calls. */
  parts: Part[];
  /** Why it ended; null: it did not. */
  stop: Stop | null;
  /** Tokens in normal form (usage.ts); null: not told. */
  usage: TokenUsage | null;
  own?: Own;
}

export interface Stop {
  /** At its end, by the limit of tokens, to call tools, at a stop text, or because it may not be said. */
  reason: 'end' | 'length' | 'call' | 'stop' | 'filter';
  /** The stop text that was met; null: not told. */
  sequence: string | null;
}

/** An answer as it comes. Parts come one after the other: at most one is open. */
export type StreamEvent =
  /** The first; id and model may be told later, in another `start`. */
  | { kind: 'start'; id: string | null; model: string | null }
  /** A part begins; a call with its id and name, everything else empty. */
  | { kind: 'open'; part: 'text' | 'refusal' | 'thinking' }
  | { kind: 'open'; part: 'call'; id: string; name: string }
  /** More of the open part: text, or a piece of a call's arguments in JSON. */
  | { kind: 'delta'; text: string }
  /** Of the open thinking. */
  | { kind: 'sign'; signature: Signature }
  | { kind: 'close' }
  /** The counts so far; the last count. */
  | { kind: 'usage'; usage: TokenUsage }
  | { kind: 'stop'; stop: Stop }
  /** The answer is whole. */
  | { kind: 'end' }
  /** The answer broke off; nothing follows. */
  | { kind: 'error'; error: NeutralError };

/** What kinds of errors providers tell apart. */
export const errorKinds = [
  'invalid',
  'authentication',
  'billing',
  'permission',
  'not_found',
  'too_large',
  'rate_limit',
  'server',
  'overloaded',
  'timeout',
] as const;
export type ErrorKind = (typeof errorKinds)[number];

export interface NeutralError {
  kind: ErrorKind;
  /** The HTTP status; null amid a stream. */
  status: number | null;
  /** For people, as the provider wrote it. */
  message: string;
  /** The provider's stable code beside the kind. */
  code: string | null;
  /** The member of the request that is meant. */
  param: string | null;
}
