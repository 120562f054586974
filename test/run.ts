// `npm test`: all tests that need no root. `npm test -- unit integration test/acceptance/chat.test.ts`
// runs a part of them.
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startPostgres } from './fixtures/postgres.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
const kinds = ['unit', 'integration', 'acceptance'];
const wanted = process.argv.slice(2).filter((word) => !word.startsWith('-'));
const flags = process.argv.slice(2).filter((word) => word.startsWith('-'));
const files = (wanted.length > 0 ? wanted : kinds).flatMap((word) =>
  kinds.includes(word) ? globSync(`test/${word}/**/*.test.ts`, { cwd: root }).sort() : [word],
);

// One server for all: a database a test.
const postgres = await startPostgres();
const runner = spawn(
  process.execPath,
  ['--test', '--test-concurrency=2', '--test-timeout=600000', '--test-reporter=spec', ...flags, ...files],
  { cwd: root, stdio: 'inherit', env: { ...process.env, WEIR_TEST_POSTGRES: postgres.url } },
);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => runner.kill(signal));
const code = await new Promise<number>((resolve) => runner.on('close', (exit) => resolve(exit ?? 1)));
await postgres.stop();
process.exit(code);
