import { names } from '../envoy/inputs.ts';
import { answeredDetails } from '../envoy/replies.ts';
import type { Answer, AttemptPlan, BodyEdit, HeaderEdit, ResponsePlan } from '../exchange/messages.ts';
import type { CommonResponse, HeaderMutation, ProcessingMode, ProcessingResponse } from './protocol.ts';

const overwrite = 2;
const [send, skip] = [1, 2];
const [none, streamed, buffered] = [0, 1, 2];

/** Values go as raw bytes: Envoy makes `value` empty beside them (envoyproxy/envoy#31555). */
function mutation({ set, remove }: HeaderEdit): HeaderMutation {
  return {
    set_headers: Object.entries(set).map(([key, value]) => ({
      header: { key, raw_value: Buffer.from(value) },
      append_action: overwrite,
    })),
    remove_headers: remove,
  };
}

/** Every mode must be set: one left out means "none" to Envoy. */
function modes(requestBody: number, responseBody: number): ProcessingMode {
  return {
    request_header_mode: send,
    response_header_mode: send,
    request_body_mode: requestBody,
    response_body_mode: responseBody,
    request_trailer_mode: skip,
    response_trailer_mode: skip,
  };
}

/** Goes on with other headers, and lets Envoy choose the route anew by them. */
export function forward(edit: HeaderEdit, body?: Buffer): CommonResponse {
  if (!body) return { header_mutation: mutation(edit), clear_route_cache: true };
  // Envoy wants the length of the new body in the same reply.
  const set = { ...edit.set, 'content-length': String(body.length) };
  return {
    header_mutation: mutation({ ...edit, set }),
    body_mutation: body.length > 0 ? { body } : { clear_body: true },
    clear_route_cache: true,
  };
}

/** Envoy is to wait for the reply as long as a model may think (max_message_timeout, src/envoy/listener.ts). */
export const patience: ProcessingResponse = { override_message_timeout: { seconds: 1800 } };

/** At the request's head: do not send the body, it is of no interest. */
export const withoutBody = modes(none, none);

/**
 * By this mark Envoy's access log knows the exchange, and whether the processor came to a decision: until then
 * no line of the journal need be there.
 */
export function mark(
  exchangeId: string,
  decided: boolean,
  plan?: AttemptPlan,
): Required<Pick<ProcessingResponse, 'dynamic_metadata'>> {
  const fields = {
    exchange_id: { stringValue: exchangeId },
    ...(decided && { decided: { stringValue: 'yes' } }),
    ...(plan?.processor && { processor: { stringValue: plan.processor } }),
  };
  const groups = plan?.clusters.map((name) => ({ structValue: { fields: { name: { stringValue: name } } } }));
  return {
    dynamic_metadata: {
      fields: {
        [names.metadata]: { structValue: { fields } },
        ...(groups && {
          [names.planMetadata]: {
            structValue: { fields: { priority_groups: { listValue: { values: groups } } } },
          },
        }),
      },
    },
  };
}

export function immediate({ status, headers, body }: Answer): ProcessingResponse {
  const details = headers['x-weir-error'] ?? 'cache';
  return {
    immediate_response: {
      status: { code: status },
      headers: mutation({ set: headers, remove: [] }),
      body,
      details: `${answeredDetails}_${details}`,
    },
  };
}

/** At the response's head: how the body shall come. */
export function responseHead({ observe, edit }: ResponsePlan): ProcessingResponse {
  const response = { response: { header_mutation: mutation(edit) } };
  if (observe === 'nothing') return { response_headers: response };
  return {
    response_headers: response,
    mode_override: modes(buffered, observe === 'whole' ? buffered : streamed),
  };
}

export function responseBody({ headers, body }: BodyEdit): ProcessingResponse {
  return {
    response_body: {
      response: {
        ...(headers && { header_mutation: mutation(headers) }),
        ...(body && { body_mutation: body.length > 0 ? { body } : { clear_body: true } }),
      },
    },
  };
}
