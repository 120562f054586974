import type { Dialect, PromptText, ReplyFacts, RequestFacts } from '../dialects/dialect.ts';
import { dialectByName } from '../dialects/registry.ts';

/** What can be read of a body, by the event loop for small ones and by a worker thread for large ones. */
export const read = {
  request: (dialect: Dialect, body: Uint8Array, _status: number): RequestFacts | null =>
    dialect.readRequest(body),
  prompt: (dialect: Dialect, body: Uint8Array, _status: number): PromptText => dialect.readPrompt(body),
  reply: (dialect: Dialect, body: Uint8Array, status: number): ReplyFacts => dialect.readReply(body, status),
};

interface Task {
  kind: keyof typeof read;
  dialect: string;
  body: Uint8Array;
  status: number;
}

export default function work({
  kind,
  dialect,
  body,
  status,
}: Task): RequestFacts | PromptText | ReplyFacts | null {
  return read[kind](dialectByName(dialect), body, status);
}
