import { z } from 'zod';
import type { Injection } from './inject.ts';
import { jsonPatch } from './json-patch.ts';
import { type Pod, podSchema } from './pod.ts';

/** As much of an AdmissionReview v1 as is read (Kubernetes API reference, admission.k8s.io/v1). */
const review = z.looseObject({
  apiVersion: z.literal('admission.k8s.io/v1'),
  request: z.looseObject({
    uid: z.string(),
    namespace: z.string(),
    object: z.unknown(),
  }),
});

/** What a review of a pod comes to. */
export type Decide = (pod: Pod, namespace: string) => Promise<Injection>;

export interface Reviewed {
  namespace: string;
  outcome: Injection['kind'];
  /** The body of the answer: an AdmissionReview. */
  body: string;
}

/** Answers an admission review of a pod. Throws ZodError when it is none. */
export async function answerReview(text: string, decide: Decide): Promise<Reviewed> {
  const { request } = review.parse(JSON.parse(text));
  const pod = podSchema.parse(request.object);
  const decided = await decide(pod, request.namespace);
  const response = { uid: request.uid, ...responseTo(decided, request.object) };
  return {
    namespace: request.namespace,
    outcome: decided.kind,
    body: JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response }),
  };
}

function responseTo(decided: Injection, original: unknown) {
  if (decided.kind === 'refused')
    return { allowed: false, status: { code: 403, reason: 'Forbidden', message: decided.message } };
  if (decided.kind === 'untouched') return { allowed: true };
  const patch = jsonPatch(original, decided.pod);
  return {
    allowed: true,
    ...(decided.warnings.length > 0 && { warnings: decided.warnings }),
    ...(patch.length > 0 && {
      patchType: 'JSONPatch',
      patch: Buffer.from(JSON.stringify(patch)).toString('base64'),
    }),
  };
}
