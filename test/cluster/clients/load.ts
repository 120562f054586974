// load.ts CALLERS: calls without a pause until its input ends, each caller at least one; then prints the ids of those
// that were answered, and what went wrong with the others. weir puts the key in: what it did not look at is refused.
import { once } from 'node:events';

const callers = Number(process.argv[2]);
const told = { ids: [] as string[], lost: {} as Record<string, number> };
let isOver = false;
process.stdin.resume();
once(process.stdin, 'end').then(() => {
  isOver = true;
});

// The mock of the providers knows these words.
const kinds = [
  { model: 'gpt-4o-mini', text: 'Where?' },
  { model: 'gpt-4o-mini', text: 'Where? Pause 100 ms.' },
  { model: 'house', text: 'Where? Pause 100 ms.' },
  { model: 'house', text: 'Where? Pause 100 ms, and the first of you fails.' },
];

async function call(count: number): Promise<string | null> {
  const kind = kinds[(count >> 1) % kinds.length];
  const stream = count % 2 === 0;
  const answer = await fetch('https://api.openai.com/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer weir_workload' },
    body: JSON.stringify({
      model: kind?.model,
      messages: [{ role: 'user', content: kind?.text }],
      stream,
    }),
    signal: AbortSignal.timeout(20_000),
  });
  const text = await answer.text();
  const [id, attempts] = ['x-weir-id', 'x-weir-attempts'].map((name) => answer.headers.get(name));
  if (answer.status !== 200) return `${answer.status} ${text.slice(0, 400)} (${id}, attempts: ${attempts})`;
  if (id == null) return 'unseen';
  told.ids.push(id);
  return (stream ? /\[DONE\]/ : /By a lake\./).test(text) ? null : `broken off: ${text.slice(-60)}`;
}

await Promise.all(
  Array.from({ length: callers }, async (_, index) => {
    for (let count = index; !isOver; count++) {
      const reason = await call(count).catch((error: Error) => `${error.message} ${error.cause}`);
      if (reason !== null) told.lost[reason] = (told.lost[reason] ?? 0) + 1;
    }
  }),
);
process.stdout.write(JSON.stringify(told));
