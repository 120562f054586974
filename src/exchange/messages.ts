import type { Workload } from '../identity/identity.ts';

/** Header names in lower case; repeated headers joined by a comma. */
export type Headers = ReadonlyMap<string, string>;

/** The head of a call as the caller sent it. */
export interface RequestHead {
  method: string;
  /** Path and query. */
  path: string;
  headers: Headers;
  /** The caller's address. */
  ip: string;
  /** There is no body. */
  ended: boolean;
  /** Where it comes from, as a token has proved; absent: it brought none. */
  workload?: Workload | null;
  /** Providers that the Envoy where it comes from, elsewhere, can try one after the other; absent: none. */
  planned?: ReadonlySet<string>;
}

export interface ResponseHead {
  status: number;
  headers: Headers;
  ended: boolean;
  /** false: Envoy made this reply itself, for the reason in `details`. */
  fromProvider: boolean;
  details: string;
}

export interface HeaderEdit {
  set: Record<string, string>;
  remove: string[];
}

/** A reply of weir's own. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
}

/** After the head: read the body first, or go on without it, or answer. */
export type HeadDecision = { kind: 'read' } | ForwardDecision;
/** What Envoy needs to know to make attempts of a call. */
export interface AttemptPlan {
  /** Its clusters, to be tried one after the other. */
  clusters: string[];
  /** `ip:port` of the processor that has the call; null: the clusters tell. */
  processor: string | null;
}

export type ForwardDecision =
  | {
      kind: 'forward';
      edit: HeaderEdit;
      body?: Buffer;
      plan?: AttemptPlan;
    }
  | { kind: 'answer'; answer: Answer };
/** After the body; `wait`: what is decided depends on another call, which may take as long as a model thinks. */
export type BodyDecision = ForwardDecision | { kind: 'wait'; decided: Promise<ForwardDecision> };

/** A stream that weir itself gives a caller, as it comes. */
export interface Serving {
  headers: Record<string, string>;
  /** Its pieces, those that are here at once together; returns how it ended. */
  read(stop: AbortSignal): AsyncGenerator<Buffer[], 'whole' | 'broken'>;
  /** It is over; `left`: the caller hung up before. */
  ended(how: 'whole' | 'broken' | 'left'): void;
}

/** Where streams of weir's own are given: Envoy fetches them there for the caller. */
export interface Relay {
  /** How the call is sent there. Nobody who comes in time: `left`. */
  offer(serving: Serving): HeaderEdit;
}

/** How much of the response body weir wants to see. */
export interface ResponsePlan {
  observe: 'nothing' | 'chunks' | 'whole';
  edit: HeaderEdit;
}

/** What is changed of a chunk of the response body, or of one that came whole. */
export interface BodyEdit {
  /** Only a reply that comes whole has its head still open. */
  headers?: HeaderEdit;
  /** In place of what came. */
  body?: Buffer;
}

/** What makes of a provider's reply what the caller gets. */
export interface ReplyChange {
  /** How the body shall come for that, and what is changed of the head. */
  plan(head: ResponseHead, observe: ResponsePlan['observe']): ResponsePlan;
  /** A body that came whole. */
  whole(body: Buffer): Promise<BodyEdit>;
}
