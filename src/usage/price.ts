import type { TokenUsage } from './record.ts';

/** What a price is asked for. */
export interface PriceQuery {
  /** weir's name of the provider (`openai`), and the URL it is called by. */
  provider: string;
  baseUrl: string;
  /** The model that the reply names, else the one asked for. */
  model: string;
  usage: TokenUsage;
  /** Epoch milliseconds of the call: prices are dated. */
  at: number;
  /** As the reply tells it: `flex` and `priority` have prices of their own. */
  serviceTier: string | null;
}

/** A list price; `usd` is a decimal string without exponent. */
export interface Price {
  usd: string;
  /** Provider and model of the price table that matched: `openai:gpt-4o`. */
  model: string;
  /** Release of the price table. */
  version: string;
}

/** null: the table does not know the model, or the counts are impossible. */
export type Pricer = (query: PriceQuery) => Price | null;
