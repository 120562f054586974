// The load of the bench, in a process of its own: reads a plan on stdin, writes its result on stdout.
import { Agent, request } from 'node:http';

export interface Plan {
  url: string;
  headers: Record<string, string>;
  /** The body; `@` in it is replaced by the number of the call, `@` of `same` calls by one number. */
  body: string;
  same: boolean;
  connections: number;
  seconds: number;
}

export interface LoadResult {
  calls: number;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Median time to the first byte of the body. */
  firstByteMs: number;
  errors: number;
}

const chunks: Buffer[] = [];
for await (const chunk of process.stdin as AsyncIterable<Buffer>) chunks.push(chunk);
const plan = JSON.parse(Buffer.concat(chunks).toString()) as Plan;
const agent = new Agent({ keepAlive: true, maxSockets: plan.connections });
const times: number[] = [];
const firsts: number[] = [];
let errors = 0;
let number = 0;

function call(): Promise<void> {
  const started = performance.now();
  const body = plan.body.replace('@', plan.same ? 'same' : `${process.pid} ${number++}`);
  return new Promise((resolve) => {
    const failed = () => {
      errors++;
      resolve();
    };
    const sent = request(
      plan.url,
      { method: 'POST', agent, headers: { ...plan.headers, 'content-length': Buffer.byteLength(body) } },
      (response) => {
        response.once('data', () => firsts.push(performance.now() - started));
        response.on('data', () => {});
        response.on('error', failed);
        response.on('end', () => {
          if (response.statusCode !== 200) errors++;
          times.push(performance.now() - started);
          resolve();
        });
      },
    );
    sent.on('error', failed);
    sent.end(body);
  });
}

async function run(seconds: number): Promise<number> {
  const started = performance.now();
  const deadline = started + seconds * 1000;
  await Promise.all(
    Array.from({ length: plan.connections }, async () => {
      while (performance.now() < deadline) await call();
    }),
  );
  return (performance.now() - started) / 1000;
}

// What is not warm yet is not what is measured.
await run(Math.min(1, plan.seconds / 2));
times.length = 0;
firsts.length = 0;
errors = 0;
const seconds = await run(plan.seconds);
agent.destroy();
const at = (values: number[], share: number) =>
  values.sort((a, b) => a - b)[Math.floor(values.length * share)] ?? 0;
const result: LoadResult = {
  calls: times.length,
  perSecond: times.length / seconds,
  p50Ms: at(times, 0.5),
  p99Ms: at(times, 0.99),
  firstByteMs: at(firsts, 0.5),
  errors,
};
process.stdout.write(JSON.stringify(result));
