import type { DialectName, SpokenName } from '../config/dialects.ts';
import { asObject, readOnce } from '../dialects/json.ts';
import type { NeutralRequest } from '../dialects/neutral.ts';
import type { Asked, WriteTarget } from '../dialects/neutral-dialect.ts';
import { neutralDialects, spokenDialects } from '../dialects/neutral-registry.ts';
import { plainPath } from '../dialects/target.ts';
import { type Found, judge } from './judge.ts';

/** Whom a request is translated for. Plain data, as all here: it crosses to a worker thread. */
export interface TranslationTarget extends WriteTarget {
  dialect: SpokenName;
  /** Ids of the hints that may be left out (cannot.ts); `all`: every one. */
  leaveOut: readonly string[];
}

/** A request in one dialect that another is to answer. */
export interface TranslationTask {
  from: DialectName;
  /** Path and query of the call, without base path and version. */
  path: string;
  body: Uint8Array;
  to: TranslationTarget;
  /** Of the exchange, for replies whose provider gives none. */
  id: string;
  /** Epoch seconds. */
  now: number;
}

export type Translated =
  | {
      kind: 'translated';
      body: Uint8Array;
      /** Where it goes, behind a provider's host. */
      endpoint: string;
      /** What its reply is made by. */
      asked: Asked;
      /** Ids of the hints that were left out. */
      left: string[];
    }
  | { kind: 'refused'; message: string };

/** Whether a request can be carried over. */
export interface JudgeTask extends Pick<TranslationTask, 'from' | 'path' | 'body'> {
  to: Carrier[];
  /** Members that will not be in it any more. */
  ignore: readonly string[];
}

type Carrier = Pick<TranslationTarget, 'dialect' | 'model' | 'leaveOut'>;

/** Why a request cannot be carried over to each target; null: it can. */
export function judgeRequest({ from, path, body, to, ignore }: JudgeTask): (string | null)[] {
  const value = { ...asObject(readOnce(body)?.value) };
  for (const name of ignore) delete value[name];
  const request = neutralDialects[from].readRequest(value, plainPath(path));
  return to.map((target) => {
    const { refused } = carried(request, target);
    return refused.length > 0 ? refusal(refused, from, target) : null;
  });
}

/** The request in the target's dialect; refused with all that it would have to drop. */
export function translateRequest({ from, path, body, to, id, now }: TranslationTask): Translated {
  const value = asObject(readOnce(body)?.value) ?? {};
  const [reads, writes] = [neutralDialects[from], spokenDialects[to.dialect]];
  const { request, left, refused } = carried(reads.readRequest(value, plainPath(path)), to);
  if (refused.length > 0) return { kind: 'refused', message: refusal(refused, from, to) };
  const stream = request.stream === true;
  return {
    kind: 'translated',
    body: Buffer.from(JSON.stringify(writes.writeRequest(request, to))),
    endpoint: writes.endpoint(to.model, stream),
    asked: { dialect: from, model: request.model, stream, ...reads.asked(value, path), id, created: now },
    left,
  };
}

/** The request without what may be left out, and what it says that the target cannot. */
function carried(
  asked: NeutralRequest,
  to: Carrier,
): { request: NeutralRequest; left: string[]; refused: Found[] } {
  let request = asked;
  const left: string[] = [];
  const refused: Found[] = [];
  for (const found of judge(request, to)) {
    const { row } = found;
    if (row?.hint && (to.leaveOut.includes(row.id) || to.leaveOut.includes('all'))) {
      request = row.without?.(request) ?? request;
      if (!left.includes(row.id)) left.push(row.id);
    } else {
      refused.push(found);
    }
  }
  return { request, left, refused };
}

/** At most so many members are named. */
const maxNamed = 5;

function refusal(found: Found[], from: DialectName, { dialect, model }: Carrier): string {
  const named = found.slice(0, maxNamed).map(({ member, row }) => {
    const why = row?.why ?? 'weir does not know it, and would have to drop it';
    const way = row?.hint
      ? `; leave_out: [${row.id}] of the model in weir.yaml, or x-weir-leave-out: ${row.id}, lets weir leave it out`
      : '';
    return `\`${member}\` (${why}${way})`;
  });
  const more = found.length > maxNamed ? ` and ${found.length - maxNamed} more` : '';
  return `This ${from} request cannot be carried over to ${dialect}, which ${model} speaks: ${named.join(', ')}${more}. Leave it out, or ask a model that speaks ${from}.`;
}
