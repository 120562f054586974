import type { DialectName, Hint, SpokenName } from '../config/dialects.ts';
import type { NeutralRequest, Part } from '../dialects/neutral.ts';

/** For whom a request is judged. */
export interface Judged {
  dialect: SpokenName;
  model: string;
}

/** Something that not every dialect can say. */
export type Row = Told & (Never | MayBeLeftOut);

interface Never {
  id: string;
  hint?: undefined;
}

/** Without it the answer costs, counts or sounds different, and is an answer to the same question. */
interface MayBeLeftOut {
  /** By which `leave_out` names it. */
  id: Hint;
  hint: true;
}

interface Told {
  /** In a few words. */
  what: string;
  /**
   * The members by which a dialect says it, `[]` for each of a list, `*` at the end for any. They are matched
   * with what its reader found to be its own.
   */
  says: Partial<Record<DialectName, readonly string[]>>;
  /** Whom it is refused with; default: everybody but those who say it. */
  to?: readonly SpokenName[];
  why: string;
  /** Values that say no more than silence. */
  harmless?: readonly unknown[];
  /** Said in the neutral form, where it has words for it and a dialect has not. */
  when?: (request: NeutralRequest, target: Judged) => boolean;
  /** Takes it out of the neutral form; for hints that are found there. */
  without?: (request: NeutralRequest) => NeutralRequest;
}

/** Whether a part of the conversation is such a one, parts of results included. */
export function anyPart(request: NeutralRequest, is: (part: Part) => boolean): boolean {
  return request.turns.some(({ parts }) =>
    parts.some((part) => is(part) || (part.kind === 'result' && part.parts.some(is))),
  );
}

/** The conversation with its parts changed; undefined takes one out. */
export function mapParts(request: NeutralRequest, change: (part: Part) => Part | undefined): NeutralRequest {
  const turns = request.turns.map((turn) => ({
    ...turn,
    parts: turn.parts.map(change).filter((part) => part !== undefined),
  }));
  return { ...request, turns };
}
