import type { Logger } from 'pino';
import type { BudgetConfig } from '../../config/policy/budgets.ts';
import type { Amount, BudgetState, Denial, LimitedCall, Used } from '../limits.ts';
import type { Processes } from '../processes.ts';
import { isAbout } from '../subject.ts';
import { Account } from './account.ts';
import { amountText } from './amounts.ts';
import { type Budget, budgetOf, type Place, placeOf } from './budget.ts';
import { createBuilder } from './builder.ts';
import type { SpendingLedger } from './ledger.ts';
import type { Truth } from './truth.ts';
import type { Reserved } from './waiting.ts';

const beatMs = 400;
const slowBeats = 10;
/** Accounts that are told of in one beat at most. */
const maxTold = 500;
/** An account that nobody uses is closed. */
const idleMs = 120_000;

/** What one budget says of a call. */
export interface Reservation {
  state: BudgetState;
  /** null: the call may go on. */
  denial: Denial | null;
  /** A soft budget that is spent. */
  isExceeded: boolean;
  /** The call is over. Only the first time counts. */
  settle(used: Used): void;
}

export interface Budgets {
  /** Reserves what a call may use; questions to the store are sent in this tick. Never rejects. */
  reserve(configs: readonly BudgetConfig[], call: LimitedCall): Promise<Reservation>[];
  start(): void;
  /** Gives back what is not spent. */
  stop(): Promise<void>;
}

/** Budgets, drawn from the one truth in leases and spent in this process. */
export function createBudgets(options: {
  truth: Truth;
  processes: Processes;
  ledger: SpendingLedger;
  now: () => number;
  log: Logger;
}): Budgets {
  const { truth, processes, ledger, now, log } = options;
  const accounts = new Map<string, Account>();
  const build = createBuilder({ truth, processes, ledger, now, log });
  let sequence = 0;
  let beats = 0;
  let timer: NodeJS.Timeout | undefined;
  let beating: Promise<void> | null = null;

  function accountOf(budget: Budget, place: Place): Account {
    let account = accounts.get(place.key);
    if (!account) {
      account = new Account(budget, place, {
        truth,
        process: processes.id,
        sharers: processes.count,
        now,
        sequence: () => ++sequence,
        heard(heard, isToBuild) {
          if (isToBuild) void build(heard.budget, heard.epoch);
          for (const percent of heard.budget.config.alert_at) void alert(heard, percent);
        },
      });
      accounts.set(place.key, account);
    }
    account.budget = budget;
    return account;
  }

  /** Says once, among all processes, that so much of a budget is spent. */
  async function alert({ budget, place, spent, alerted }: Account, percent: number): Promise<void> {
    if (spent * 100n < budget.limit * BigInt(percent) || alerted.has(percent)) return;
    alerted.add(percent);
    const isFirst = await truth.tell(place.key, String(percent)).catch(() => {
      alerted.delete(percent);
      return false;
    });
    if (!isFirst) return;
    const { name, mode } = budget.config;
    const [told, limit] = [spent, budget.limit].map((amount) => amountText(amount, budget.unit));
    log.warn(
      {
        organization: budget.organization,
        budget: name,
        mode,
        percent,
        unit: budget.unit,
        spent: told,
        limit,
      },
      'a budget has reached a percentage that is to be told of',
    );
  }

  async function reserve(config: BudgetConfig, call: LimitedCall): Promise<Reservation> {
    const budget = budgetOf(config, call.organization);
    const place = placeOf(budget, call);
    const account = accountOf(budget, place);
    const asked = budget.unit === 'usd' ? call.asks?.usd : BigInt(call.asks?.tokens ?? 0);
    const isHard = config.mode === 'hard';
    const isUnpriced = asked === null && isHard && config.unpriced === 'deny';
    // What nobody can tell before takes the least that there is.
    const amount = isHard ? (call.asks ? (asked ?? 0n) : 1n) : 0n;
    if (!isHard && account.epoch === '') void account.sync(false);
    const reserved: Reserved = isHard && !isUnpriced ? await account.reserve(amount) : 'denied';
    const holds = reserved === 'ok' ? amount : 0n;
    let isOpen = true;
    const state = stateOf(account);
    return {
      state,
      denial: isUnpriced
        ? { kind: 'unpriced', name: config.name }
        : isHard && reserved !== 'ok'
          ? denialOf(state, amount, reserved)
          : null,
      isExceeded: !isHard && account.spent >= budget.limit,
      settle({ tokens, usd }) {
        if (!isOpen) return;
        isOpen = false;
        account.settle(holds, budget.unit === 'usd' ? usd : BigInt(tokens), place.bucket);
      },
    };
  }

  /** Finds out whether the truth has forgotten, and lets the ledger be looked at again. */
  async function watch(budget: Budget, own: Account[]): Promise<void> {
    const { epoch, build: isToBuild } = await truth.watch(budget.key);
    for (const account of own) if (account.epoch !== '' && account.epoch !== epoch) account.retell();
    if (isToBuild) void build(budget, epoch);
  }

  async function beat(): Promise<void> {
    const byBudget = new Map<string, Account[]>();
    for (const account of accounts.values()) {
      const own = byBudget.get(account.budget.key);
      if (own) own.push(account);
      else byBudget.set(account.budget.key, [account]);
    }
    // Where nothing is held, nothing is lost in a hurry.
    const isSlow = ++beats % slowBeats === 0;
    const watched = [...byBudget.values()].filter((own) => isSlow || own.some(({ holds }) => holds));
    await Promise.all(watched.map((own) => own[0] && watch(own[0].budget, own))).catch(() => {});
    const news = [...accounts.values()].filter((account) => account.hasNews());
    await Promise.all(news.slice(0, maxTold).map((account) => account.sync(false)));
    for (const [key, account] of accounts) if (account.isIdle(idleMs)) accounts.delete(key);
  }

  return {
    reserve: (configs, call) =>
      configs.filter(({ match }) => isAbout(match, call)).map((config) => reserve(config, call)),
    start() {
      timer = setInterval(() => {
        beating ??= beat().finally(() => {
          beating = null;
        });
      }, beatMs);
    },
    async stop() {
      clearInterval(timer);
      await beating;
      await Promise.all([...accounts.values()].map((account) => account.giveBack()));
    },
  };
}

function stateOf({ budget, window, left }: Account): BudgetState {
  const { name, per } = budget.config;
  const { resetsAt } = window;
  return { name, per, unit: budget.unit, limit: budget.limit, remaining: left, resetsAt };
}

function denialOf(state: BudgetState, amount: Amount, reserved: Reserved): Denial {
  if (reserved === 'away') return { kind: 'budget_unavailable', name: state.name };
  return { kind: 'budget', state, never: amount > state.limit };
}
