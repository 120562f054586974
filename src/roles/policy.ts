import { basename } from 'node:path';
import { text as readStream } from 'node:stream/consumers';
import { stringify } from 'yaml';
import { z } from 'zod';
import { ConfigError } from '../config/errors.ts';
import { differences } from '../config/policy/differences.ts';
import { pathOf } from '../config/policy/pointer.ts';
import { parseYaml, readText, type YamlFile } from '../config/yaml.ts';
import { ApiError, type AskApi, createApiClient } from './api-client.ts';
import { print } from './print.ts';
import type { Role } from './run.ts';

const document = z.record(z.string(), z.unknown());
const policy = z.object({ version: z.int(), document, resolved: document });
const finding = z.object({ pointer: z.string(), detail: z.string() });
const saved = policy.extend({ changed: z.boolean(), warnings: z.array(finding) });

/** `weir policy get`: the document as it was given, in YAML, which `set` takes again. */
export const getPolicy: Role = async ({ settings, options }) => {
  const ask = createApiClient(settings, options);
  const at = options.at === undefined ? '' : `/versions/${encodeURIComponent(options.at)}`;
  const found = policy.parse(await ask('GET', `/policy${at}`));
  const shown = options.resolved === undefined ? found.document : found.resolved;
  if (options.json !== undefined) return print(shown);
  process.stdout.write(`# version ${found.version}\n${stringify(shown)}`);
  return undefined;
};

/** `weir policy set FILE` */
export const setPolicy: Role = async ({ settings, options }) => {
  const ask = createApiClient(settings, options);
  const file = await read(options.file ?? '-');
  const dryRun = options.dryRun !== undefined;
  const { version, changed } = await put(ask, file, { dryRun, expected: options.expect });
  const state = changed ? `version ${version} is in force` : `version ${version} says this already`;
  process.stdout.write(`${dryRun && changed ? 'it can work; nothing was changed' : state}\n`);
  return undefined;
};

/** `weir policy diff FILE`: what `set` would change. */
export const diffPolicy: Role = async ({ settings, options }) => {
  const ask = createApiClient(settings, options);
  const file = await read(options.file ?? '-');
  const before = policy.parse(await ask('GET', '/policy'));
  const after = await put(ask, file, { dryRun: true, expected: String(before.version) });
  const lines = differences(before.document, after.document).map((each) => {
    const [from, to] = [JSON.stringify(each.before), JSON.stringify(each.after)];
    if (from === undefined) return `+ ${each.pointer}: ${to}`;
    return to === undefined ? `- ${each.pointer}: ${from}` : `~ ${each.pointer}: ${from} → ${to}`;
  });
  process.stdout.write(`${lines.length > 0 ? lines.join('\n') : 'nothing would change'}\n`);
  return undefined;
};

interface PolicyFile extends YamlFile {
  source: string;
}

async function read(file: string): Promise<PolicyFile> {
  const source = file === '-' ? 'stdin' : basename(file);
  const text = file === '-' ? await readStream(process.stdin) : readText(file, file);
  // A generator that failed must not turn everything back to the defaults.
  if (text.trim() === '') throw new Error(`${source} is empty: to have the defaults in everything, write {}`);
  return { source, ...parseYaml(text, source) };
}

/** Sends the document; what is wrong or odd is told with the line it stands in. */
async function put(
  ask: AskApi,
  { document, source, lineOf }: PolicyFile,
  { dryRun, expected }: { dryRun: boolean; expected: string | undefined },
): Promise<z.output<typeof saved>> {
  const place = ({ pointer, detail }: z.output<typeof finding>) => {
    const path = pathOf(pointer);
    const line = lineOf(path);
    return { source, ...(line !== undefined && { line }), path: path.join('.'), message: detail };
  };
  try {
    const answer = await ask('PUT', `/policy?dry_run=${dryRun}`, {
      body: document,
      headers: expected === undefined ? {} : { 'if-match': expected },
    });
    const done = saved.parse(answer);
    if (done.warnings.length > 0) {
      const { message } = new ConfigError(done.warnings.map(place));
      process.stderr.write(`${message.replaceAll(/^/gm, 'weir: warning: ')}\n`);
    }
    return done;
  } catch (error) {
    if (error instanceof ApiError && error.errors.length > 0) throw new ConfigError(error.errors.map(place));
    throw error;
  }
}
