import { z } from 'zod';
import { duration } from '../config/values.ts';
import { createApiClient } from './api-client.ts';
import { print, printTable } from './print.ts';
import type { Role } from './run.ts';

const key = z.looseObject({
  id: z.string(),
  name: z.string(),
  prefix: z.string(),
  scope: z.string(),
  role: z.string().nullable(),
  expires_at: z.string().nullable(),
  last_used_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
});
const page = z.object({ keys: z.array(key), next_cursor: z.string().nullable() });

/** `weir keys create`: the key is printed once. */
export const createKey: Role = async ({ settings, options }) => {
  const ask = createApiClient(settings, options);
  const { name, scope = 'call', role, user, tags, models, providers, expires, fixedTags } = options;
  const body = {
    scope,
    name,
    role,
    user,
    tags: tags === undefined ? undefined : Object.fromEntries(words(tags).map(pair)),
    caller_tags: fixedTags === undefined ? undefined : false,
    models: models === undefined ? undefined : words(models),
    providers: providers === undefined ? undefined : words(providers),
    expires_at: expires === undefined ? undefined : instant(expires),
  };
  const made = key.extend({ secret: z.string() }).parse(await ask('POST', '/keys', { body }));
  if (options.json !== undefined) return print(made);
  process.stderr.write(`weir: made ${made.id} (${made.name}); the key is shown now and not again\n`);
  process.stdout.write(`${made.secret}\n`);
  return undefined;
};

/** `weir keys list` */
export const listKeys: Role = async ({ settings, options }) => {
  const ask = createApiClient(settings, options);
  const all: z.output<typeof key>[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const query = new URLSearchParams({
      limit: '1000',
      revoked: String(options.revoked !== undefined),
      ...(cursor !== '' && { cursor }),
    });
    const { keys, next_cursor } = page.parse(await ask('GET', `/keys?${query}`));
    all.push(...keys);
    cursor = next_cursor;
  }
  if (options.json !== undefined) return print(all);
  const rows = all.map((each) => [
    each.id,
    each.name,
    each.scope,
    each.role ?? '-',
    `${each.prefix}…`,
    day(each.last_used_at) ?? 'never',
    each.revoked_at === null ? (day(each.expires_at) ?? 'never') : `revoked ${day(each.revoked_at)}`,
  ]);
  printTable(['ID', 'NAME', 'SCOPE', 'ROLE', 'KEY', 'LAST USED', 'EXPIRES'], rows);
  return undefined;
};

/** `weir keys revoke ID` */
export const revokeKey: Role = async ({ settings, options }) => {
  const ask = createApiClient(settings, options);
  await ask('DELETE', `/keys/${encodeURIComponent(options.id ?? '')}`);
  process.stdout.write(`revoked ${options.id}\n`);
  return undefined;
};

function words(text: string): string[] {
  return text.split(',').map((each) => each.trim());
}

function pair(text: string): [string, string] {
  const [, name, value] = /^([^=]+)=(.*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined)
    throw new Error(`--tags: expected tags such as team=search,env=prod, found ${text}`);
  return [name, value];
}

/** An instant as it is, a duration from now on. */
function instant(text: string): string {
  const ms = duration.safeParse(text);
  return ms.success ? new Date(Date.now() + ms.data).toISOString() : text;
}

function day(text: string | null): string | undefined {
  return text === null ? undefined : text.slice(0, 16).replace('T', ' ');
}
