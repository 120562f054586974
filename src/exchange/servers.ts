import { createHash } from 'node:crypto';
import { serversOf } from '../config/models.ts';
import type { Refusal } from '../dialects/errors.ts';
import { neutralName } from '../dialects/neutral-registry.ts';
import {
  type Asking,
  allowed,
  keepsProvider,
  type Served,
  type Serving,
  serve,
  servedBy,
  untranslatable,
} from './serve.ts';
import type { Services } from './services.ts';

/** Who may serve a call, in the order in which they are tried; refused: nobody. */
export type Servers =
  | {
      kind: 'served';
      servers: readonly [Served, ...Served[]];
      /** Whoever answers, answers are kept as this one's. */
      kept: Served;
      /** From this one of `servers` on they stand in for another model: their answers are not kept. */
      standIns: number;
      firstByteTimeoutMs: number | null;
    }
  | { kind: 'refused'; refusal: Refusal };

type Called = Asking & { bytes: Buffer };

/** Asks the config who serves the model. Who failed lately is left out as long as there is another. */
export async function serversFor(call: Called, services: Services): Promise<Servers> {
  const { arrival, facts, place, head } = call;
  const model = services.models(place?.model ?? facts.model);
  const keeps = keepsProvider(call);
  const several = (model ? serversOf(model) : []).map(({ provider: name, ...asked }) => {
    const provider = services.providers[name];
    if (!provider || (keeps && name !== arrival.target.provider)) return null;
    const served = servedBy(call, { name, provider, model: asked });
    return served ? allowed(head, served) : untranslatable(arrival, name);
  });
  if (!model || facts.model === null || several.every((each) => each === null)) {
    const serving = serve(call, services);
    if (serving.kind === 'refused') return serving;
    const { served } = serving;
    return { kind: 'served', servers: [served], kept: served, standIns: 1, firstByteTimeoutMs: null };
  }

  const carried = await carriedBy(call, several, services);
  const able = carried.map((each) => (each?.kind === 'served' ? each.served : null));
  const spread = model.deployments?.map(({ weight }) => weight) ?? [1];
  const first = spreadOver(able.slice(0, spread.length), spread, call, services);
  const standIns = able.slice(spread.length).filter((each) => each !== null);
  const isWell = ({ arrival: { target, putsKeyIn, caller }, model: name }: Served) => {
    const payer = putsKeyIn ? caller.organization : null;
    return !services.routing?.paces.ailing(target.provider, name ?? '', payer);
  };
  const isAnyWell = [...first, ...standIns].some(isWell);
  const tried = isAnyWell ? first.filter(isWell) : first;
  const all = [...tried, ...(isAnyWell ? standIns.filter(isWell) : standIns)];
  const isTriable = ({ arrival: { target } }: Served) =>
    services.worker !== null || (services.address !== null && head.planned?.has(target.provider) === true);
  const [one, ...others] = all[0] && isTriable(all[0]) ? all.filter(isTriable) : all.slice(0, 1);
  const kept = able.find((each) => each !== null);
  if (!one || !kept) return carried.find((each) => each?.kind === 'refused') ?? untranslatable(arrival, '');
  return {
    kind: 'served',
    servers: [one, ...others],
    kept,
    standIns: [one, ...others].filter((each) => tried.includes(each)).length,
    firstByteTimeoutMs: model.first_byte_timeout ?? null,
  };
}

/** Refuses for those that the request cannot be carried to. */
async function carriedBy(
  { arrival, bytes }: Called,
  all: readonly (Serving | null)[],
  { reader }: Pick<Services, 'reader'>,
): Promise<(Serving | null)[]> {
  const from = neutralName(arrival.dialect?.name ?? '');
  const to = all.flatMap((each) => (each?.kind === 'served' ? (each.served.translation ?? []) : []));
  if (!from || to.length === 0) return [...all];
  const path = arrival.target.endpoint;
  const whyNot = await reader.judge({ from, path, body: bytes, to, ignore: [] });
  return all.map((each) => {
    if (each?.kind !== 'served' || !each.served.translation) return each;
    const message = whyNot[to.indexOf(each.served.translation)] ?? null;
    return message === null ? each : { kind: 'refused', refusal: { code: 'not_translatable', message } };
  });
}

/**
 * In the order of this call: the highest of -weight / ln(u) is each one's as often as its weight says, and a
 * conversation stays where its prompt is cached (weighted rendezvous hashing).
 */
function spreadOver(
  servers: readonly (Served | null)[],
  weights: readonly number[],
  { facts, arrival }: Called,
  { now }: Pick<Services, 'now'>,
): Served[] {
  const opening = facts.conversation?.opening.join('\n') ?? `${facts.hash} ${now()}`;
  const scored = servers.flatMap((served, index) => {
    if (!served) return [];
    const name = `${served.arrival.target.provider} ${served.model}`;
    const u = uniform(`${arrival.caller.organization} ${name} ${opening}`);
    return [{ served, score: -(weights[index] ?? 1) / Math.log(u) }];
  });
  return scored.toSorted((a, b) => b.score - a.score).map(({ served }) => served);
}

/** Between 0 and 1, the same for the same text. */
function uniform(text: string): number {
  const value = createHash('sha256').update(text).digest().readUIntBE(0, 6);
  return (value + 1) / (2 ** 48 + 2);
}
