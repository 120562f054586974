import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { formatAddress } from '../config/address.ts';
import type { Settings } from '../config/env.ts';
import { readKeys } from '../identity/store.ts';

const timeoutMs = 30_000;

const problem = z.object({
  code: z.string(),
  detail: z.string(),
  errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).default([]),
});

/** The API said no; `message` says why and what would be right. */
export class ApiError extends Error {
  override name = 'ApiError';
  readonly errors: { pointer: string; detail: string }[];

  constructor({ detail, errors }: z.output<typeof problem>) {
    super(detail);
    this.errors = errors;
  }
}

/** Asks the API. Resolves to what its JSON says; rejects with an error of one clear line. */
export type AskApi = (
  method: string,
  path: string,
  options?: { body?: unknown; headers?: Record<string, string> },
) => Promise<unknown>;

/** The API that `--api` names, else the one that runs on the data directory, else that of the config. */
export function createApiClient(settings: Settings, options: { api?: string; key?: string }): AskApi {
  const base = baseOf(settings, options.api);
  const key = options.key ?? settings.apiKey ?? keyOfMachine(settings, base);
  return async (method, path, { body, headers = {} } = {}) => {
    const response = await fetch(`${base}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      // The key goes to nobody else.
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    }).catch(() => {
      throw new Error(`nothing answers at ${base}: is weir up? If it is elsewhere, say where with --api`);
    });
    const text = await response.text();
    if (response.status === 204) return undefined;
    const answer = parse(text);
    if (response.ok && answer !== undefined) return answer;
    const told = problem.safeParse(answer);
    if (told.success) throw new ApiError(told.data);
    throw new Error(`${base} answers ${response.status} and is no API of weir: say where it is with --api`);
  };
}

function baseOf({ config, paths }: Settings, given: string | undefined): string {
  if (given !== undefined) {
    const url = z.url({ protocol: /^https?$/ }).safeParse(given);
    if (!url.success) throw new Error(`--api: expected a URL such as http://127.0.0.1:8080, found ${given}`);
    return given.replace(/\/+$/, '');
  }
  const address = existsSync(paths.apiAddress)
    ? readFileSync(paths.apiAddress, 'utf8')
    : formatAddress(config.listen.api);
  // Who listens everywhere is found here.
  return `http://${address.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:')}`;
}

/** The admin key in the data directory: shown on this machine alone. */
function keyOfMachine({ paths }: Settings, base: string): string {
  const { hostname } = new URL(base);
  const local = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
  if (local && existsSync(paths.keys)) return readKeys(paths.keys).admin;
  throw new Error('no key to show to the API: give it with --key or in WEIR_API_KEY');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
