import type { Logger } from 'pino';
import type { Cache } from '../cache/asking.ts';
import type { ByteBudget } from '../cache/byte-budget.ts';
import type { FindModel } from '../config/models.ts';
import type { Policy } from '../config/policy/policy.ts';
import type { Config } from '../config/schema.ts';
import type { Cloud } from '../identity/cloud/cloud.ts';
import type { Identity } from '../identity/identity.ts';
import type { Limits } from '../limits/limits.ts';
import type { Pricer } from '../usage/price.ts';
import type { Ledger } from '../usage/record.ts';
import type { Relay } from './messages.ts';
import type { aliasesOf } from './model-list.ts';
import type { Routing } from './plan.ts';
import type { Reader } from './reader.ts';

/** Counts tokens where a provider told none. */
export interface TokenCounter {
  /** `exact` is false where it had to be estimated. */
  count(model: string | null, texts: string[]): Promise<{ tokens: number; exact: boolean }>;
}

/** What an exchange is handed. */
export interface Services {
  providers: Config['providers'];
  /** What the config says of a model, by the name that is asked for. */
  models: FindModel;
  /** The names that lists of models are given besides the provider's. */
  aliases: ReturnType<typeof aliasesOf>;
  /** Which of the processors of one Envoy this is, from 0; null: its Envoys are elsewhere. */
  worker: number | null;
  /** `ip:port` at which Envoys elsewhere meet this one and no other; null: they try no other than the first. */
  address: string | null;
  identity: Identity;
  /** Signs what goes to providers that want it signed. */
  sign: Cloud['sign'];
  /** The policy of intercepted calls that nobody has claimed; without it they have that of all others. */
  intercepted?: Policy;
  limits: Limits;
  cache: Cache;
  /** null: those who wait for a stream get it when it has come to its end. */
  relay: Relay | null;
  reader: Reader;
  /** null: every call goes as it came. */
  routing: Routing | null;
  ledger: Ledger;
  pricer: Pricer;
  counter: TokenCounter;
  /** For bodies that are held while a call runs: to count them, to keep the answer. */
  held: ByteBudget;
  /** Keyed hash of a credential, in hex: tells two apart without telling either. */
  fingerprint(credential: string): string;
  /** Epoch milliseconds, with fractions. */
  now(): number;
  log: Logger;
}
