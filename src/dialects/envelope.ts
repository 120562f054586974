import type { ProviderConfig } from '../config/schema.ts';
import { AwsEventParser } from './aws-event-stream.ts';
import { asObject, asString, parseJson } from './json.ts';
import type { MemberEdits } from './openai/edit-members.ts';

/** Makes server-sent events of a stream that comes in frames. */
export interface Unframer {
  push(chunk: Uint8Array): Buffer;
}

/**
 * How a cloud wants Anthropic's messages: the model stands in the path, and the version in the body
 * (docs.aws.amazon.com "Anthropic Claude Messages API", cloud.google.com "Request predictions with Claude models").
 */
export interface Envelope {
  endpoint(model: string, stream: boolean): string;
  edits: MemberEdits;
  /** null: streams come as Anthropic's own. */
  unframe: (() => Unframer) | null;
}

const bedrock: Envelope = {
  endpoint: (model, stream) =>
    `/model/${encodeURIComponent(model)}/invoke${stream ? '-with-response-stream' : ''}`,
  edits: { model: null, stream: null, anthropic_version: '"bedrock-2023-05-31"' },
  unframe: createUnframer,
};

const vertex: Envelope = {
  // Names have an @ before their date, which is not written as its code.
  endpoint: (model, stream) =>
    `/models/${encodeURIComponent(model).replaceAll('%40', '@')}:${stream ? 'streamRawPredict' : 'rawPredict'}`,
  edits: { model: null, anthropic_version: '"vertex-2023-10-16"' },
  unframe: null,
};

/** null: the provider takes messages as they are. */
export function envelopeOf({
  api,
  auth,
  base_url,
}: Pick<ProviderConfig, 'api' | 'auth' | 'base_url'>): Envelope | null {
  if (api !== 'anthropic') return null;
  const { pathname } = new URL(base_url);
  if (auth === 'aws' && pathname === '/') return bedrock;
  return auth === 'google' && /\/publishers\/anthropic$/.test(pathname) ? vertex : null;
}

export function isFramed(contentType: string): boolean {
  return contentType.toLowerCase().startsWith('application/vnd.amazon.eventstream');
}

/** Anthropic's names for what Bedrock breaks off with. */
const errors: Record<string, string> = {
  throttlingException: 'rate_limit_error',
  serviceUnavailableException: 'overloaded_error',
  validationException: 'invalid_request_error',
  modelTimeoutException: 'timeout_error',
};

function createUnframer(): Unframer {
  const parser = new AwsEventParser();
  return {
    push(chunk) {
      const texts = parser.push(chunk).map(({ kind, type, payload }) => {
        const message = asObject(parseJson(payload));
        if (kind === 'exception') {
          const error = {
            type: errors[type] ?? 'api_error',
            message: asString(message?.message) ?? type,
          };
          return eventOf('error', { type: 'error', error });
        }
        const encoded = asString(message?.bytes);
        const event = encoded === null ? null : asObject(parseJson(Buffer.from(encoded, 'base64')));
        if (!event) return '';
        const { 'amazon-bedrock-invocationMetrics': _, ...own } = event;
        return eventOf(asString(own.type) ?? 'message', own);
      });
      return Buffer.from(texts.join(''));
    },
  };
}

function eventOf(type: string, data: object): string {
  return `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}
