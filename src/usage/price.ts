import type { TokenUsage, UsagePart } from './record.ts';

/** What a price is asked for. */
export interface PriceQuery {
  /** weir's name of the provider (`openai`), and the URL it is called by. */
  provider: string;
  baseUrl: string;
  /** The model that the reply names, else the one asked for. */
  model: string;
  usage: TokenUsage;
  /** The usage by model, where an answer is billed in parts; else empty. */
  parts: UsagePart[];
  /** Uses of the provider's own tools, by the price table's names. */
  tools: Record<string, number>;
  /** Epoch milliseconds of the call: prices are dated. */
  at: number;
  /** As the reply tells it: `flex`, `priority` and `batch` have prices of their own. */
  serviceTier: string | null;
  terms: Record<string, string>;
  /** Fingerprint of the credential that is billed. */
  credential: string | null;
}

/** A list price; money in decimal strings without exponent. */
export interface Price {
  /** Of the tokens. */
  usd: string;
  /** Of the tools; null: none was used, or one has no price. */
  toolUsd: string | null;
  /** Provider and model of the price table that matched: `openai:gpt-4o`. */
  model: string;
  /** Release of the price table. */
  version: string;
  /** What the price was multiplied by: `inference_geo 1.1`; null: nothing. */
  factors: string | null;
  /** Tokens of prompt and answer together that the model can have; null: not known. */
  contextWindow: number | null;
}

/** null: nobody lists a price for the model, or the counts are impossible. */
export type Pricer = (query: PriceQuery) => Price | null;
