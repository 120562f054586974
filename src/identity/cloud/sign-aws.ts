import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import type { AwsCredentialIdentity, Checksum, SourceData } from '@smithy/types';

/** SHA-256 of Node's own: that of the library is JavaScript, and bodies are large. */
class Sha256 implements Checksum {
  readonly #secret: SourceData | undefined;
  #hash: Hash | Hmac;

  constructor(secret?: SourceData) {
    this.#secret = secret;
    this.#hash = this.#begin();
  }

  update(data: Uint8Array | string): void {
    this.#hash.update(data);
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    this.#hash = this.#begin();
  }

  #begin(): Hash | Hmac {
    const secret = this.#secret;
    if (secret === undefined) return createHash('sha256');
    return createHmac('sha256', typeof secret === 'string' ? secret : bytesOf(secret));
  }
}

function bytesOf(data: Exclude<SourceData, string>): Uint8Array {
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}

/** The headers that sign a request to Amazon Bedrock by Signature Version 4. */
export async function signAws(request: {
  credentials: AwsCredentialIdentity;
  region: string;
  method: string;
  baseUrl: string;
  /** Path and query as they are sent. */
  path: string;
  body: Uint8Array;
  now: number;
}): Promise<Record<string, string>> {
  const { credentials, region, method, baseUrl, path, body, now } = request;
  const { host, hostname, protocol } = new URL(baseUrl);
  const [plain = '/', query = ''] = path.split('?', 2);
  const signer = new SignatureV4({ service: 'bedrock', region, credentials, sha256: Sha256 });
  const { headers } = await signer.sign(
    {
      method,
      protocol,
      hostname,
      path: plain,
      query: Object.fromEntries(new URLSearchParams(query)),
      headers: { host, 'x-amz-content-sha256': createHash('sha256').update(body).digest('hex') },
      body,
    },
    { signingDate: new Date(now) },
  );
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'host'));
}

/** `bedrock-runtime.eu-central-1.amazonaws.com`; null: the host does not tell. */
export function awsRegion(baseUrl: string): string | null {
  return /(?:^|\.)bedrock[a-z-]*\.([a-z0-9-]+)\./.exec(new URL(baseUrl).hostname)?.[1] ?? null;
}
