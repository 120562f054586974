// load.ts CALLERS: calls without a pause, plain and streamed, until its input ends; then prints how many, and what
// went wrong. weir puts the key in: what it did not look at is refused.
import { once } from 'node:events';

const callers = Number(process.argv[2]);
const told = { calls: 0, failed: 0, reasons: {} as Record<string, number> };
let isOver = false;
process.stdin.resume();
once(process.stdin, 'end').then(() => {
  isOver = true;
});

async function call(stream: boolean): Promise<string | null> {
  const answer = await fetch('https://api.openai.com/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer weir_workload' },
    body: JSON.stringify({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Where?' }], stream }),
    signal: AbortSignal.timeout(20_000),
  });
  const text = await answer.text();
  if (answer.status !== 200) return `${answer.status} ${text.slice(0, 100)}`;
  return (stream ? /\[DONE\]/ : /By a lake\./).test(text) ? null : `broken off: ${text.slice(-60)}`;
}

await Promise.all(
  Array.from({ length: callers }, async (_, index) => {
    for (let count = index; !isOver; count++) {
      const reason = await call(count % 2 === 0).catch((error: Error) => `${error.message} ${error.cause}`);
      told.calls += 1;
      if (reason === null) continue;
      told.failed += 1;
      told.reasons[reason] = (told.reasons[reason] ?? 0) + 1;
    }
  }),
);
process.stdout.write(JSON.stringify(told));
