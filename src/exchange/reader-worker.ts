import type { PromptText, ReplyFacts, ReplyHead, RequestFacts } from '../dialects/dialect.ts';
import { editMembers, type MemberEdits } from '../dialects/openai/edit-members.ts';
import { dialectByName } from '../dialects/registry.ts';

/** What can be read of a body; plain data, since it may cross to a worker thread. */
export type Task = { dialect: string; body: Uint8Array } & (
  | { kind: 'request'; endpoint: string }
  | { kind: 'prompt' }
  | { kind: 'edit'; edits: MemberEdits }
  | { kind: 'reply'; head: ReplyHead }
);

/** What each kind of task results in. */
export interface Result {
  request: RequestFacts | null;
  prompt: PromptText;
  edit: Uint8Array;
  reply: ReplyFacts;
}

/** Done by the event loop for small bodies and by a worker thread for large ones. */
export default function work(task: Task): Result[Task['kind']] {
  try {
    return read(task);
  } catch (error) {
    // Nested deeper than the stack: read as if it were no JSON.
    if (error instanceof RangeError) return read({ ...task, body: new Uint8Array() });
    throw error;
  }
}

function read(task: Task): Result[Task['kind']] {
  const dialect = dialectByName(task.dialect);
  switch (task.kind) {
    case 'request':
      return dialect.readRequest(task.body, task.endpoint);
    case 'prompt':
      return dialect.readPrompt(task.body);
    case 'edit':
      return editMembers(Buffer.from(task.body.buffer, task.body.byteOffset, task.body.length), task.edits);
    case 'reply':
      return dialect.readReply(task.body, task.head);
  }
}
