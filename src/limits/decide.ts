import type { LimitConfig } from '../config/policy/limits.ts';
import type { Reservation } from './budgets/budgets.ts';
import type { Counted } from './counted.ts';
import type { Admission, BudgetState, Denial, LimitedCall, LimitState } from './limits.ts';

/** What a limit says of a call. */
export interface Check extends Counted {
  limit: LimitConfig;
}

/** Why a request alone is too much for a limit, whatever was before it; null: it is not. */
export function tooMuch(limit: LimitConfig, { asks }: LimitedCall): Denial | null {
  if (!asks) return null;
  const { name, max_request_bytes: bytes, max_output_tokens: output } = limit;
  if (bytes !== undefined && asks.bytes > bytes)
    return { kind: 'request_bytes', name, limit: bytes, asked: asks.bytes };
  const asked = asks.maxOutputTokens;
  if (output !== undefined && asked !== undefined && (asked === null || asked > output))
    return { kind: 'output_tokens', name, limit: output, asked };
  return null;
}

/** A call that counts nowhere, since it was refused before. */
export function refused(denial: Denial): Admission {
  const limit = denial.kind === 'limit' ? denial.state : null;
  return {
    denial,
    passesHits: false,
    standing: { limit, budget: null, exceeded: [] },
    close: () => {},
  };
}

/** What limits and budgets together say of a call. */
export function decide(checks: Check[], reservations: Reservation[], tooMuchInShadow: string[]): Admission {
  const inForce = checks.filter(({ limit }) => !limit.shadow);
  const refusing = inForce.filter(({ exceeded }) => exceeded);
  const byRequests = refusing.filter(({ state }) => state.kind === 'requests');
  const denial = ofLimits(byRequests) ?? ofLimits(refusing) ?? ofBudgets(reservations);
  let isOpen = true;
  return {
    denial,
    passesHits: byRequests.length === 0,
    standing: {
      limit: denial?.kind === 'limit' ? denial.state : nearestLimit(inForce),
      budget: nearestBudget(reservations),
      exceeded: [
        ...tooMuchInShadow,
        ...checks.filter(({ limit, exceeded }) => limit.shadow && exceeded).map(({ limit }) => limit.name),
        ...reservations.filter(({ isExceeded }) => isExceeded).map(({ state }) => state.name),
      ],
    },
    close(how) {
      if (!isOpen) return;
      isOpen = false;
      const used = typeof how === 'string' ? { tokens: 0, usd: 0n } : how;
      for (const { state, correct } of checks)
        correct(state.kind === 'tokens' ? used.tokens : how === 'refused' ? 0 : 1);
      for (const { settle } of reservations) settle(used);
    },
  };
}

/** A caller must wait for the last of them to open again. */
function ofLimits(refusing: Check[]): Denial | null {
  const [last] = refusing.toSorted((a, b) => b.state.resetMs - a.state.resetMs);
  return last ? { kind: 'limit', state: last.state, never: refusing.some(({ never }) => never) } : null;
}

/** What waiting does not help against comes first. */
const order = ['unpriced', 'budget', 'budget_unavailable'];

function ofBudgets(reservations: Reservation[]): Denial | null {
  const resetsAt = (denial: Denial) => (denial.kind === 'budget' ? denial.state.resetsAt : 0);
  const [first = null] = reservations
    .flatMap(({ denial }) => (denial ? [denial] : []))
    .toSorted((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind) || resetsAt(b) - resetsAt(a));
  return first;
}

function nearestLimit(checks: Check[]): LimitState | null {
  const [nearest = null] = checks
    .map(({ state }) => state)
    .filter(({ kind }) => kind !== 'concurrent')
    .toSorted((a, b) => a.remaining / a.limit - b.remaining / b.limit);
  return nearest;
}

function nearestBudget(reservations: Reservation[]): BudgetState | null {
  const share = ({ remaining, limit }: BudgetState) => Number(remaining) / Number(limit);
  const [nearest = null] = reservations.map(({ state }) => state).toSorted((a, b) => share(a) - share(b));
  return nearest;
}
