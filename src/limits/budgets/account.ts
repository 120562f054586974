import { setTimeout as delay } from 'node:timers/promises';
import type { Amount } from '../limits.ts';
import { type Budget, currentWindow, keptMs, mostLent, type Place } from './budget.ts';
import type { Window } from './periods.ts';
import { Spending } from './spending.ts';
import { leaseMs, type Sync, type SyncReply, type Truth } from './truth.ts';
import { type Reserved, type Waiting, WaitingCalls } from './waiting.ts';

/** A call waits at most so long for a budget to open. */
const openTimeoutMs = 2_000;
/** And for a truth that does not answer: one that is late may still do so. */
const awayTimeoutMs = 250;
/** Having been told that too little is left, a process takes that for so long as true. */
const shortMs = 250;
/** What was not used for so long is given back. */
const idleMs = 2_000;

export interface AccountContext {
  truth: Truth;
  process: string;
  sharers(): number;
  now(): number;
  /** Greater each time. */
  sequence(): number;
  /** The truth has answered; `build`: it asks for what the ledger says. */
  heard(account: Account, build: boolean): void;
}

/**
 * What one process has of one place of a budget: leases, from which calls reserve without asking anyone, and
 * what it has spent. Only one question to the truth is out at a time.
 */
export class Account {
  /** Its limit and mode may change. */
  budget: Budget;
  readonly place: Place;
  /** Percentages of the budget that were told of. */
  readonly alerted = new Set<number>();
  readonly #context: AccountContext;
  readonly #spending = new Spending();
  /** Lent, and neither reserved nor spent. Below 0: calls took more than they had reserved. */
  #free: Amount = 0n;
  #reserved: Amount = 0n;
  readonly #waiting = new WaitingCalls();
  #syncing: Promise<void> | null = null;
  #usedAt: number;
  /** Until then too little is left for a call; or for leases in advance. */
  #shortUntil = 0;
  #scarceUntil = 0;
  /** The last answer of the truth, and what had been spent here by then. */
  #heard = { epoch: '', sequence: 0, at: Number.NEGATIVE_INFINITY, spent: 0n, lent: 0n, sum: 0n };

  constructor(budget: Budget, place: Place, context: AccountContext) {
    this.budget = budget;
    this.place = place;
    this.#context = context;
    this.#usedAt = context.now();
  }

  /** Of this place; a rolling one moves on. */
  get window(): Window {
    const { config } = this.budget;
    return config.rolling === undefined ? this.place.window : currentWindow(config, this.#context.now());
  }

  get epoch(): string {
    return this.#heard.epoch;
  }

  /** What all have spent, as far as is known here. */
  get spent(): Amount {
    return this.#heard.spent + this.#spending.sum - this.#heard.sum;
  }

  /** Neither spent nor held by others nor reserved here, as far as is known here; never below 0. */
  get left(): Amount {
    const left = this.budget.limit - this.#heard.spent - this.#heard.lent + this.#free;
    return left > 0n ? left : 0n;
  }

  /** Calls took more than they had reserved, and more than there was: not even one that reserves nothing passes. */
  get #isOverspent(): boolean {
    return this.spent > this.budget.limit;
  }

  /** Reserves from what is lent; only what is lacking is asked for, in this tick. */
  reserve(amount: Amount): Promise<Reserved> | Reserved {
    const now = this.#context.now();
    this.#usedAt = now;
    if (this.#take(amount, this.#waiting.needed)) {
      const soon = mostLent(this.budget, this.#context.sharers()) / 4n;
      // So that the next call does not wait; not where every call takes more than is lent in advance.
      if (this.#free < soon && amount < soon && now >= this.#scarceUntil) void this.sync(true);
      return 'ok';
    }
    if (now < this.#shortUntil) return 'denied';
    const decided = this.#waiting.wait(amount, now + openTimeoutMs);
    void this.sync(true);
    return decided;
  }

  /** A call is over: what it has reserved is free again, and what it has used is spent. */
  settle(reserved: Amount, used: Amount, bucket: number): void {
    this.#reserved -= reserved;
    this.#free += reserved - used;
    // What was too little may be enough now.
    if (used < reserved) this.#shortUntil = 0;
    this.#spending.add(bucket, used);
  }

  /** Something of the budget is lent to this process. */
  get holds(): boolean {
    return this.#reserved !== 0n || this.#free > 0n;
  }

  /** Nothing is held or untold, and nobody has used it for so long. */
  isIdle(forMs: number): boolean {
    const open = this.holds || !this.#spending.isTold || this.#syncing;
    return !open && this.#context.now() - this.#usedAt > forMs;
  }

  /** Whether the truth is to be told something: what was spent, that a lease is still held, or given back. */
  hasNews(): boolean {
    const { at, epoch } = this.#heard;
    const now = this.#context.now();
    if (!this.#spending.isTold || epoch === '') return true;
    return this.holds && (now - at > leaseMs / 3 || (this.#free > 0n && this.#isUnused(now)));
  }

  /** Nobody has used it lately, or others may need it more. */
  #isUnused(now: number): boolean {
    return (
      now - this.#usedAt > idleMs || this.left - this.#free < mostLent(this.budget, this.#context.sharers())
    );
  }

  /** The truth has lost what it was told. */
  retell(): void {
    this.#heard = { ...this.#heard, epoch: '', sequence: 0 };
    this.#spending.retell();
  }

  /** Gives back what is not reserved. */
  async giveBack(): Promise<void> {
    await this.#syncing;
    if (this.#free > 0n) this.#free = 0n;
    await this.sync(false);
  }

  /** Tells the truth, and asks for what calls wait for; `more`: and for some in advance. Never rejects. */
  sync(more: boolean): Promise<void> {
    this.#syncing ??= this.#sync(more).finally(() => {
      this.#syncing = null;
      if (!this.#waiting.isEmpty) void this.sync(true);
    });
    return this.#syncing;
  }

  async #sync(more: boolean): Promise<void> {
    const { truth, now } = this.#context;
    // What was held for too long unheard may have been lent to others meanwhile.
    const isStale = now() - this.#heard.at > leaseMs;
    if (this.#free > 0n && (isStale || (!more && this.#isUnused(now())))) this.#free = 0n;

    const needed = this.#waiting.needed;
    const batch = this.#waiting.takeAll();
    const need = needed > this.#free ? needed - this.#free : 0n;
    const question = this.#question(need, more);
    const before = {
      held: this.#free + this.#reserved,
      sum: this.#spending.isOpen ? this.#spending.sum : 0n,
    };
    let reply: SyncReply;
    try {
      reply = await truth.sync(question);
    } catch {
      const soon = now() + awayTimeoutMs;
      for (const each of batch) each.until = Math.min(each.until, soon);
      return this.#wait(batch, 0);
    }
    if (reply.kind !== 'ok') {
      if (reply.kind === 'lost') await truth.forget(this.budget.key, this.#heard.epoch).catch(() => {});
      this.retell();
      return this.#wait(batch, 0);
    }
    this.#hear(reply, question, before);
    if (reply.opensInMs !== 0) return this.#wait(batch, reply.opensInMs ?? 0);
    const isShort = reply.granted < need || this.#isOverspent;
    if (isShort) this.#shortUntil = now() + shortMs;
    if (more && reply.granted < need + question.mostLent) this.#scarceUntil = now() + shortMs;
    this.#serve(batch, isShort);
  }

  #question(need: Amount, more: boolean): Sync {
    const { process, sharers, sequence, now } = this.#context;
    const held = this.#free + this.#reserved;
    const { place, budget } = this;
    const most = mostLent(budget, sharers());
    return {
      key: place.key,
      budgetKey: budget.key,
      process,
      sequence: sequence(),
      acknowledged: this.#heard.sequence,
      epoch: this.#heard.epoch,
      held: held > 0n ? held : 0n,
      need,
      more,
      limit: budget.limit,
      mostLent: need > 0n || this.#free < 0n ? most : most - this.#free,
      sharers: sharers(),
      firstBucket: this.window.firstBucket,
      spent: this.#spending.news(),
      keptMs: keptMs(budget, this.window, now()),
    };
  }

  #hear(reply: SyncReply & { kind: 'ok' }, question: Sync, before: { held: Amount; sum: Amount }): void {
    this.#spending.told(question.spent, reply.own);
    const { epoch, spent, lent } = reply;
    this.#heard = {
      epoch,
      sequence: question.sequence,
      at: this.#context.now(),
      spent,
      lent,
      sum: before.sum,
    };
    // Calls took more than was held: the truth has it as spent, and nothing is held.
    if (before.held < 0n) this.#free -= before.held;
    this.#free += reply.granted;
    this.#context.heard(this, reply.build);
  }

  /** Until the budget opens; summing it up takes a moment from then on. */
  async #wait(batch: Waiting[], openMs: number): Promise<void> {
    this.#waiting.putBack(batch);
    if (this.#waiting.isEmpty) return;
    await delay(openMs + (this.#context.truth.isAlone ? 5 : 50));
    for (const each of this.#waiting.takeLate(this.#context.now())) this.#decide(each, 'away');
  }

  #serve(batch: Waiting[], isShort: boolean): void {
    for (const each of batch) {
      if (this.#take(each.amount, 0n)) each.decide('ok');
      else if (isShort) each.decide('denied');
      else this.#waiting.putBack([each]);
    }
  }

  #decide(each: Waiting, otherwise: Reserved): void {
    each.decide(this.#take(each.amount, 0n) ? 'ok' : otherwise);
  }

  #take(amount: Amount, promised: Amount): boolean {
    if (this.#free - promised < amount || (amount === 0n && this.#isOverspent)) return false;
    this.#free -= amount;
    this.#reserved += amount;
    return true;
  }
}
