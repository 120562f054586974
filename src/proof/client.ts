import { Agent, request } from 'undici';

const headTimeoutMs = 120_000;
const maxReplyBytes = 4 * 1024 * 1024;

export interface EgressReply {
  status: number;
  /** `x-weir-id`: the exchange in the ledger. */
  exchange: string | null;
  body: Buffer;
}

/** Calls through weir's own egress listener, as an application would: keys, limits, budgets and the ledger apply. */
export function createEgressClient(egress: string) {
  const agent = new Agent({
    connect: { timeout: 5_000 },
    headersTimeout: headTimeoutMs,
    bodyTimeout: headTimeoutMs,
  });
  return {
    /** Rejects when it takes more than two minutes, or the reply is larger than 4 MiB. */
    async post(
      path: string,
      credential: string,
      body: Uint8Array | string,
      signal: AbortSignal,
    ): Promise<EgressReply> {
      const response = await request(egress + path, {
        dispatcher: agent,
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${credential}`,
          'anthropic-version': '2023-06-01',
          'x-weir-cache': 'bypass',
          'x-weir-routing': 'off',
        },
        body,
        signal: AbortSignal.any([signal, AbortSignal.timeout(headTimeoutMs)]),
      });
      const chunks: Buffer[] = [];
      let size = 0;
      for await (const chunk of response.body) {
        size += chunk.length;
        if (size > maxReplyBytes) throw new Error('the reply is too large');
        chunks.push(chunk);
      }
      const id = response.headers['x-weir-id'];
      return {
        status: response.statusCode,
        exchange: typeof id === 'string' ? id : null,
        body: Buffer.concat(chunks),
      };
    },
    close: () => agent.destroy(),
  };
}
