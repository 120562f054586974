import type { Logger } from 'pino';
import type { Pool } from '../db/pool.ts';
import { recordUnseen } from './unseen.ts';
import { verdict } from './verdict.ts';

/** How long an exchange waits for its witness, from its arrival here. */
const graceMs = 60_000;
/** How long a witness that has served is kept. */
const witnessKeptMs = 24 * 3_600_000;
/** How long the numbers of an answer wait for the call that asked for it. */
const lateKeptMs = 60 * 24 * 3_600_000;
const deleteBatch = 1_000;
/** Exchanges waiting for the next look; those beyond are left to the sweep. */
const maxWaiting = 10_000;

// $1: the exchanges to look at; null: all that are unsettled. An exchange that was given up, or whose
// processor died, is settled too when its witness comes late.
const settleByWitness = `
  UPDATE usage SET outcome = told.outcome
  FROM (
    SELECT DISTINCT ON (exchange_id) exchange_id, ${verdict} AS outcome FROM witness
    WHERE exchange_id = ANY (coalesce($1::uuid[], ARRAY(SELECT id FROM usage WHERE outcome = 'unsettled')))
      AND ${verdict} IS NOT NULL
    ORDER BY exchange_id, id
  ) told
  WHERE usage.id = told.exchange_id AND usage.outcome IN ('unsettled', 'interrupted')`;

const giveUp = `
  UPDATE usage SET outcome = 'interrupted'
  WHERE outcome = 'unsettled' AND received_at <= to_timestamp($1::float8 / 1000)`;

// Calls that no processor saw, and upgrades, are told of nowhere else: they stay.
const forget = `
  DELETE FROM witness WHERE id IN (
    SELECT id FROM witness
    WHERE received_at <= to_timestamp($1::float8 / 1000) AND exchange_id IS NOT NULL AND upgrade IS NULL
    LIMIT ${deleteBatch} FOR UPDATE SKIP LOCKED)`;

const forgetLate = `
  DELETE FROM late_usage WHERE ctid IN (
    SELECT ctid FROM late_usage WHERE received_at <= to_timestamp($1::float8 / 1000)
    LIMIT ${deleteBatch} FOR UPDATE SKIP LOCKED)`;

/**
 * Settles exchanges whose end no processor saw by what Envoy's access log says of them. Usage and witness
 * may come in any order, to any number of collectors.
 */
export function createSettler(options: { pool: Pool; log: Logger; now: () => number }) {
  const { pool, log, now } = options;
  const waiting = new Set<string>();
  let looking: Promise<void> | null = null;

  async function look(): Promise<void> {
    while (waiting.size > 0) {
      const ids = [...waiting];
      waiting.clear();
      try {
        await pool.query(settleByWitness, [ids]);
      } catch (error) {
        log.warn({ err: error, exchanges: ids.length }, 'exchanges stay unsettled until the next sweep');
      }
    }
    looking = null;
  }

  return {
    /** Soon looks whether there is a witness of these exchanges. */
    settle(exchangeIds: string[]): void {
      for (const id of exchangeIds) if (waiting.size < maxWaiting) waiting.add(id);
      if (waiting.size > 0) looking ??= look();
    },
    /** Settles what can be settled, gives up what has waited for too long, forgets old witnesses. */
    async sweep(): Promise<void> {
      await pool.query(settleByWitness, [null]);
      await pool.query(giveUp, [now() - graceMs]);
      await recordUnseen(pool, now());
      await pool.query(forget, [now() - witnessKeptMs]);
      await pool.query(forgetLate, [now() - lateKeptMs]);
    },
    async drain(): Promise<void> {
      await looking;
    },
  };
}
