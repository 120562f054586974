import type { Logger } from 'pino';
import type { Keyring } from '../config/keyring.ts';
import type { DeclaredOrganization } from '../config/organizations.ts';
import { DeclaredTwice, declareOrganizations } from './declare.ts';
import { declaredFacts } from './declared-facts.ts';
import type { IdentityFacts } from './facts.ts';
import { createFeed } from './feed.ts';
import type { Identity } from './identity.ts';
import { readKept, writeKept } from './kept.ts';
import { createSnapshot, type SnapshotOptions } from './snapshot.ts';

export interface IdentityOptions extends Pick<SnapshotOptions, 'defaults' | 'providers' | 'now'> {
  /** null: there is no database, weir.yaml tells everything. */
  url: string | null;
  organizations: readonly DeclaredOrganization[];
  keyring: Keyring;
  /** Where the last state is kept. */
  file: string;
  log: Logger;
}

/** Without a database the fingerprints of processors agree when the keys of their configs do. */
function emptyFacts(keyring: Keyring): IdentityFacts {
  const hashKey = keyring.derive('fingerprint').toString('base64');
  return { version: -1, hashKey, keys: [], policies: [], providerKeys: [], bindings: [] };
}

/**
 * Who calls, and what they may: the last snapshot of what the database tells, swapped whole at each change.
 * While there is no database it is the one that was kept, with what weir.yaml declares on top.
 */
export function createIdentity(options: IdentityOptions) {
  const { url, organizations, keyring, file, log } = options;
  const kept = url === null ? null : readKept(file, keyring);
  let facts = declaredFacts(kept ?? emptyFacts(keyring), organizations);
  let current = snapshot(facts, null);
  let keeping: Promise<void> = Promise.resolve();
  let isDeclared = false;

  function snapshot(from: IdentityFacts, before: Identity | null): Identity {
    return createSnapshot(from, { ...options, before, warn: (message, about) => log.warn(about, message) });
  }

  function keep(): void {
    const write = () => writeKept(file, keyring, facts);
    keeping = keeping.then(write).catch((error: unknown) => log.warn({ err: error }, 'keys are not kept'));
  }

  const feed =
    url === null
      ? null
      : createFeed({
          url,
          log,
          async connected(client) {
            // One that declares nothing may simply not have been told: the collector ends what is declared no more.
            if (isDeclared || organizations.length === 0) return;
            await declareOrganizations(client, organizations).catch((error: unknown) => {
              // What is another's already is no reason to refuse everybody.
              if (!(error instanceof DeclaredTwice)) throw error;
              log.error({ err: error }, 'what weir.yaml declares is not in the database');
            });
            isDeclared = true;
          },
          changed(next) {
            facts = next;
            current = snapshot(next, current);
            keep();
          },
        });

  return {
    get anonymous() {
      return current.anonymous;
    },
    byKey: (...call) => current.byKey(...call),
    byWorkload: (workload) => current.byWorkload(workload),
    access: (caller) => current.access(caller),
    policy: (organization) => current.policy(organization),

    /** Of the fingerprints of credentials. */
    hashKey: () => Buffer.from(facts.hashKey, 'base64'),
    /** Rejects when the database cannot be read and nothing was kept. */
    async start(): Promise<void> {
      await feed?.start().catch((error: unknown) => {
        if (kept === null) throw error;
      });
    },
    async stop(): Promise<void> {
      await feed?.stop();
      await keeping;
    },
  } satisfies Identity & Record<string, unknown>;
}
