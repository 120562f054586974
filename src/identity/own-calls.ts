import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import type { Caller, Identity } from './identity.ts';

/** Tags of a caller that weir itself is. No tag that comes with a header has a colon in its name. */
export const purposeTag = 'weir:purpose';
export const purposeOfTag = 'weir:of';
/** A provider's name, a slash, a model. */
export const placeTag = 'weir:to';

const prefix = 'weir_own_';
/** A call of weir's own begins within this time of its credential. */
const validMs = 10 * 60_000;

const ownCall = z.object({
  organization: z.string(),
  apiKey: z.string().nullable(),
  purpose: z.enum(['replay', 'judge']),
  /** The exchange that it is about. */
  of: z.string(),
  /** Whom it goes to, whatever its path says: it may have to be translated on the way. */
  to: z.object({ provider: z.string(), model: z.string() }),
  until: z.number(),
});
export type OwnCall = Omit<z.output<typeof ownCall>, 'until'>;

/** Credentials for calls that weir makes through its own egress, in the name of a caller: keys, budgets and the ledger apply. */
export interface OwnCalls {
  credential(call: OwnCall): string;
  /** The caller behind such a credential; null: it is none, not of this installation, or too old. */
  caller(key: string): Caller | null;
}

/** `hashKey`: of this installation. A key of its own is made from it: fingerprints of credentials cannot be used as signatures. */
export function createOwnCalls(hashKey: Buffer, now: () => number): OwnCalls {
  const key = createHmac('sha256', hashKey).update('own calls').digest();
  const sign = (text: string) => createHmac('sha256', key).update(text).digest();
  return {
    credential(call) {
      const text = Buffer.from(JSON.stringify({ ...call, until: now() + validMs })).toString('base64url');
      return `${prefix}${text}.${sign(text).toString('base64url')}`;
    },
    caller(given) {
      const [, text = '', signature = ''] = /^weir_own_([\w-]+)\.([\w-]+)$/.exec(given) ?? [];
      const signed = Buffer.from(signature, 'base64url');
      const expected = sign(text);
      if (signed.length !== expected.length || !timingSafeEqual(signed, expected)) return null;
      const { success, data } = ownCall.safeParse(
        JSON.parse(Buffer.from(text, 'base64url').toString('utf8')),
      );
      if (!success || data.until < now()) return null;
      const tags = {
        [purposeTag]: data.purpose,
        [purposeOfTag]: data.of,
        [placeTag]: `${data.to.provider}/${data.to.model}`,
      };
      return { organization: data.organization, apiKey: data.apiKey, workload: null, tags };
    },
  };
}

/** An identity that knows weir's own calls as well. */
export function withOwnCalls(identity: Identity, own: OwnCalls): Identity {
  return {
    get anonymous() {
      return identity.anonymous;
    },
    policy: (organization) => identity.policy(organization),
    byWorkload: (workload) => identity.byWorkload(workload),
    // Whom the organization has chosen to judge, the key that is replayed need not be allowed to ask.
    access: (caller) =>
      identity.access(caller.tags[purposeTag] === undefined ? caller : { ...caller, apiKey: null }),
    byKey: (key, workload) => (key.startsWith(prefix) ? own.caller(key) : identity.byKey(key, workload)),
  };
}
