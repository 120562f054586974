import { neutralName, spokenName } from '../dialects/neutral-registry.ts';
import type { CannotCarry, Foreign } from '../routing/carry.ts';
import type { Asked } from './plan.ts';
import type { Reader } from './reader.ts';
import { leftOutBy } from './serve.ts';
import type { Services } from './services.ts';

/** Judges a call for each model in another dialect that it may go to. */
export async function carriage(
  { head, arrival, bytes }: Asked,
  /** What of it is for weir alone. */
  own: readonly string[],
  foreign: readonly Foreign[],
  { models, reader }: Pick<Services, 'models'> & { reader: Pick<Reader, 'judge'> },
): Promise<CannotCarry> {
  const asking = arrival.dialect?.name ?? '';
  const from = neutralName(asking);
  const judged = foreign.flatMap((each) => {
    const dialect = spokenName(each.dialect);
    return from && dialect ? [{ ...each, dialect }] : [];
  });
  const to = judged.map(({ dialect, model }) => {
    const config = models(model);
    return {
      dialect,
      model: config?.model ?? model,
      leaveOut: [...(config?.leave_out ?? []), ...leftOutBy(head.headers)],
    };
  });
  const path = arrival.target.endpoint;
  const whyNot =
    from && to.length > 0 ? await reader.judge({ from, path, body: bytes, to, ignore: own }) : [];
  return ({ provider, model, dialect }) => {
    const at = judged.findIndex((each) => each.provider === provider && each.model === model);
    return at < 0 ? `${provider} speaks ${dialect}, and this call is ${asking}` : (whyNot[at] ?? null);
  };
}
