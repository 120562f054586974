import { readFile } from 'node:fs/promises';
import { Agent, request } from 'undici';
import type { KubernetesConfig } from '../config/kubernetes.ts';

const timeoutMs = 10_000;

/** The Kubernetes API said no. */
export class KubernetesError extends Error {
  override name = 'KubernetesError';
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
  /** Somebody else was faster: read again. */
  get isConflict(): boolean {
    return this.status === 409;
  }
}

type Method = 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';

/** Asks the Kubernetes API. Resolves to what its JSON says; rejects with KubernetesError, or when nobody answers. */
export type AskKubernetes = (method: Method, path: string, body?: unknown) => Promise<unknown>;

/** The API of the config; its token and its authority are read anew each time, for they rotate. */
export function createKubernetesClient({ url, ca_file, token_file }: KubernetesConfig['api']) {
  let agent: { ca: string; dispatcher: Agent } | null = null;
  const dispatcherFor = (ca: string) => {
    if (agent?.ca !== ca) {
      void agent?.dispatcher.close();
      agent = { ca, dispatcher: new Agent({ connect: { ca }, connections: 4 }) };
    }
    return agent.dispatcher;
  };
  const ask: AskKubernetes = async (method, path, body) => {
    const [ca, token] = await Promise.all([readFile(ca_file, 'utf8'), readFile(token_file, 'utf8')]);
    const answer = await request(new URL(path, url), {
      method,
      dispatcher: dispatcherFor(ca),
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        authorization: `Bearer ${token.trim()}`,
        accept: 'application/json',
        ...(body !== undefined && {
          'content-type': method === 'PATCH' ? 'application/json-patch+json' : 'application/json',
        }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.body.text();
    if (answer.statusCode < 300) return JSON.parse(text);
    throw new KubernetesError(
      answer.statusCode,
      `${method} ${path}: ${messageIn(text) ?? answer.statusCode}`,
    );
  };
  return {
    ask,
    close: async () => {
      await agent?.dispatcher.close();
    },
  };
}

function messageIn(text: string): string | null {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === 'string' ? message : null;
  } catch {
    return null;
  }
}
