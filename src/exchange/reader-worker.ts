import type { SpokenName } from '../config/dialects.ts';
import type { PromptText, ReplyFacts, ReplyHead, RequestFacts } from '../dialects/dialect.ts';
import type { Asked } from '../dialects/neutral-dialect.ts';
import { editMembers, type MemberEdits } from '../dialects/openai/edit-members.ts';
import { dialectByName } from '../dialects/registry.ts';
import { replyTranslator, type TranslatedReply } from '../translate/reply.ts';
import {
  type JudgeTask,
  judgeRequest,
  type Translated,
  type TranslationTask,
  translateRequest,
} from '../translate/translate.ts';

/** What can be read of a body; plain data, since it may cross to a worker thread. */
export type Task = { body: Uint8Array } & (
  | { kind: 'request'; dialect: string; endpoint: string }
  | { kind: 'prompt'; dialect: string }
  | { kind: 'edit'; edits: MemberEdits }
  | { kind: 'reply'; dialect: string; head: ReplyHead }
  | { kind: 'judge'; task: Omit<JudgeTask, 'body'> }
  | { kind: 'translate'; task: Omit<TranslationTask, 'body'> }
  | { kind: 'translateReply'; to: SpokenName; asked: Asked; status: number; errorType: string | null }
);

/** What each kind of task results in. */
export interface Result {
  request: RequestFacts | null;
  prompt: PromptText;
  edit: Uint8Array;
  reply: ReplyFacts;
  judge: (string | null)[];
  translate: Translated;
  translateReply: TranslatedReply;
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
  switch (task.kind) {
    case 'request':
      return dialectByName(task.dialect).readRequest(task.body, task.endpoint);
    case 'prompt':
      return dialectByName(task.dialect).readPrompt(task.body);
    case 'edit':
      return editMembers(Buffer.from(task.body.buffer, task.body.byteOffset, task.body.length), task.edits);
    case 'reply':
      return dialectByName(task.dialect).readReply(task.body, task.head);
    case 'judge':
      return judgeRequest({ ...task.task, body: task.body });
    case 'translate':
      return translateRequest({ ...task.task, body: task.body });
    case 'translateReply':
      return replyTranslator(task.to, task.asked).whole(task.body, task.status, task.errorType);
  }
}
