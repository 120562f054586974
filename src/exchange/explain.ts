import type { Policy } from '../config/policy/policy.ts';
import type { Refusal } from '../dialects/errors.ts';
import type { Access } from '../identity/identity.ts';
import type { Explanation } from '../routing/scorer.ts';
import { type JudgeTask, judgeRequest } from '../translate/translate.ts';
import { arrive } from './arrival.ts';
import { type Plan, planCall, type Routing } from './plan.ts';
import type { Services } from './services.ts';

/** A call that is asked about and not made. */
export interface AskedRoute {
  organization: string;
  policy: Policy;
  access: Access;
  /** As it would be called on the egress listener. */
  path: string;
  body: Buffer;
}

export type RouteExplanation =
  | { kind: 'refused'; refusal: Refusal }
  | {
      kind: 'explained';
      plan: Plan;
      prompt: Explanation & { tokens: number; tokensAreExact: boolean; keyword: string | null };
    };

/** A question about a call may take its time. */
const reader = { judge: async (task: JudgeTask) => judgeRequest(task) };

/** What would become of a call whose key weir puts in, and why. Nothing is sent. */
export async function explainRoute(
  { organization, policy, access, path, body }: AskedRoute,
  { providers, models, routing }: Pick<Services, 'providers' | 'models'> & { routing: Routing },
): Promise<RouteExplanation> {
  const head = { method: 'POST', path, headers: new Map<string, string>(), ip: '', ended: false };
  const anonymous = { organization, apiKey: null, workload: null, tags: {} };
  const nobody = { byKey: () => null, byWorkload: () => null };
  const identity = { ...nobody, anonymous, access: () => access, policy: () => policy };
  const arrived = arrive(head, { providers, identity });
  if (arrived.kind === 'refused') return arrived;
  const arrival = { ...arrived.arrival, putsKeyIn: true };
  const facts = arrival.dialect?.readRequest(body, arrival.target.endpoint) ?? null;
  const plan = facts && (await planCall({ head, arrival, facts, bytes: body }, { routing, models, reader }));
  if (!facts?.conversation || !plan) {
    const message = `There is no chat at ${path}, or the body is none: send what the provider would get.`;
    return { kind: 'refused', refusal: { code: 'invalid_json', message } };
  }
  return { kind: 'explained', plan, prompt: routing.router.explain(facts.conversation) };
}
