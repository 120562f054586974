import type { Refusal } from '../dialects/errors.ts';
import type { Credential } from '../identity/credentials.ts';
import type { Caller, Identity, Workload } from '../identity/identity.ts';

type Identified = { kind: 'known'; caller: Caller } | { kind: 'refused'; refusal: Refusal };

/** Who calls: by the key, else by the workload's token, else nobody in particular. */
export function identify(
  credential: Credential,
  workload: Workload | null,
  identity: Pick<Identity, 'byKey' | 'byWorkload' | 'anonymous'>,
): Identified {
  if (credential.kind === 'weir') {
    const caller = identity.byKey(credential.key, workload);
    return caller ? { kind: 'known', caller } : refused('invalid_api_key', unknownKey);
  }
  const bound = workload && identity.byWorkload(workload);
  if (bound) return { kind: 'known', caller: bound };
  if (credential.kind !== 'workload')
    return { kind: 'known', caller: workload ? { ...identity.anonymous, workload } : identity.anonymous };
  if (!workload) return refused('workload_unknown', noToken);
  const { cluster, namespace, serviceAccount } = workload;
  return refused(
    'workload_unknown',
    `No binding names the workload ${cluster}/${namespace}/${serviceAccount}: ask your platform team for one, or for a call key (weir_sk_…).`,
  );
}

const unknownKey =
  'Incorrect weir API key provided: it is not known, was revoked, or has expired. Ask your platform team for a call key (weir_sk_…).';
const noToken =
  'weir_workload asks weir to know this call by the token of its workload, and none that is valid came with it: is the sidecar there, and workloads.jwks set in weir.yaml?';

function refused(code: Refusal['code'], message: string): Identified {
  return { kind: 'refused', refusal: { code, message } };
}
