import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cacheDirectory } from '../../../src/local/envoy-binary.mjs';

const run = promisify(execFile);
const here = fileURLToPath(new URL('.', import.meta.url));
const timeout = 20 * 60_000;

/** OpenAI's SDKs for Go and Java, made ready once in the user's cache: a binary, and a class path. */
export async function buildClients(): Promise<{ go: string; java: string }> {
  const go = await made('go', ['main.go', 'go.mod', 'go.sum'], (directory) =>
    run('go', ['build', '-o', join(directory, 'client'), '.'], {
      cwd: join(here, 'go'),
      timeout,
      env: { ...process.env, CGO_ENABLED: '0' },
    }),
  );
  const java = await made('java', ['Client.java', 'pom.xml'], async (directory) => {
    const cwd = join(here, 'java');
    await run('mvn', ['-q', '-B', 'dependency:copy-dependencies', `-DoutputDirectory=${directory}`], {
      cwd,
      timeout,
    });
    await run('javac', ['-cp', `${directory}/*`, '-d', directory, 'Client.java'], { cwd, timeout });
    rmSync(join(cwd, 'target'), { recursive: true, force: true });
  });
  return { go: join(go, 'client'), java: `${java}:${java}/*` };
}

async function made(
  language: string,
  sources: string[],
  make: (directory: string) => Promise<unknown>,
): Promise<string> {
  const key = createHash('sha256');
  for (const name of sources) key.update(readFileSync(join(here, language, name)));
  const directory = join(cacheDirectory(process.env), `test-${language}-${key.digest('hex').slice(0, 16)}`);
  if (existsSync(directory)) return directory;
  const unfinished = `${directory}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  await make(unfinished);
  renameSync(unfinished, directory);
  return directory;
}
