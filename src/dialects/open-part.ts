import type { SpokenName } from '../config/dialects.ts';
import type { Signature } from './neutral.ts';
import type { StreamEvent } from './neutral-reply.ts';
import { unsigned } from './signature.ts';

type Plain = 'text' | 'refusal' | 'thinking';

/** Collects the events that one event of a provider amounts to, and keeps parts in order: one open at a time. */
export class OpenPart {
  readonly #origin: SpokenName;
  #events: StreamEvent[] = [];
  #open: Plain | 'call' | null = null;
  /** Of the open call. */
  #hasArgs = false;
  /** Of the open thinking. */
  #isSigned = false;

  constructor(origin: SpokenName) {
    this.#origin = origin;
  }

  get open(): Plain | 'call' | null {
    return this.#open;
  }

  /** The events since the last time. */
  take(): StreamEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  add(event: StreamEvent): void {
    this.#events.push(event);
  }

  /** More text of a kind: of the open part, or of a new one. */
  say(part: Plain, text: unknown): void {
    if (typeof text !== 'string' || text === '') return;
    this.begin(part);
    this.#events.push({ kind: 'delta', text });
  }

  begin(part: Plain): void {
    if (this.#open === part) return;
    this.close();
    this.#open = part;
    this.#isSigned = false;
    this.#events.push({ kind: 'open', part });
  }

  call(id: string, name: string): void {
    this.close();
    this.#open = 'call';
    this.#hasArgs = false;
    this.#events.push({ kind: 'open', part: 'call', id, name });
  }

  /** A piece of the open call's arguments. */
  args(text: string): void {
    if (text === '' || this.#open !== 'call') return;
    this.#hasArgs = true;
    this.#events.push({ kind: 'delta', text });
  }

  get hasArgs(): boolean {
    return this.#hasArgs;
  }

  /** Signs the open thinking, or one that cannot be read. */
  sign(signature: Signature): void {
    this.begin('thinking');
    this.#isSigned = true;
    this.#events.push({ kind: 'sign', signature });
  }

  close(): void {
    if (this.#open === null) return;
    // A call without arguments is one with none of them.
    if (this.#open === 'call' && !this.#hasArgs) this.#events.push({ kind: 'delta', text: '{}' });
    if (this.#open === 'thinking' && !this.#isSigned)
      this.#events.push({ kind: 'sign', signature: unsigned(this.#origin) });
    this.#open = null;
    this.#events.push({ kind: 'close' });
  }
}
