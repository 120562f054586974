/**
 * Tokens of one exchange in normal form: `input` includes cached reads and writes, `output` includes
 * reasoning; the other members are parts of those two. null: the provider did not tell.
 */
export interface TokenUsage {
  input: number | null;
  output: number | null;
  cacheRead: number | null;
  cacheWrite: number | null;
  reasoning: number | null;
  inputAudio: number | null;
  outputAudio: number | null;
  /** Cached reads among the audio input. */
  cacheReadAudio: number | null;
}

export const noUsage: TokenUsage = {
  input: null,
  output: null,
  cacheRead: null,
  cacheWrite: null,
  reasoning: null,
  inputAudio: null,
  outputAudio: null,
  cacheReadAudio: null,
};
