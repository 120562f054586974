import type { Dated, Place } from './cache.ts';

/** What was purged; what is null is not asked for. All null: everything of the organization. */
export interface Purge {
  generation: number;
  organization: string;
  key: string | null;
  /** As asked for, or as the provider names it. */
  model: string | null;
  /** Epoch milliseconds: answers that were kept before. */
  storedBefore: number | null;
}

/** Whether a purge is about an answer. */
export function covers(purge: Purge, { organization, key }: Place, answer: Dated): boolean {
  return (
    answer.generation < purge.generation &&
    purge.organization === organization &&
    (purge.key === null || purge.key === key) &&
    (purge.model === null || purge.model === answer.model || purge.model === answer.requestedModel) &&
    (purge.storedBefore === null || answer.storedAt < purge.storedBefore)
  );
}

/** The purges that an answer may still have to be held against. */
export class Purges {
  #byOrganization = new Map<string, Purge[]>();
  #generation = 0;

  /** The newest that is known. */
  get generation(): number {
    return this.#generation;
  }

  /** Whether an answer has been purged since it was asked for. */
  covers(place: Place, answer: Dated): boolean {
    return this.#byOrganization.get(place.organization)?.some((each) => covers(each, place, answer)) ?? false;
  }

  set(purges: readonly Purge[]): void {
    this.#byOrganization = Map.groupBy(purges, ({ organization }) => organization);
    this.#generation = purges.reduce(
      (newest, { generation }) => Math.max(newest, generation),
      this.#generation,
    );
  }
}
