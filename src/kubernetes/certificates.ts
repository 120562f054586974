import { X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { endOf, issue, makeAuthority, type Pair } from './authority.ts';

const dayMs = 86_400_000;
const servingDays = 90;
const leafDays = 365;
/** An authority is known everywhere before it signs: kubelets bring a changed Secret within two minutes. */
const knownAfterMs = 10 * 60_000;
const keptAuthorities = 8;

const pair = z.object({ cert: z.string(), key: z.string() });
const authority = pair.extend({ hosts: z.array(z.string()), since: z.number() });

/** All certificates of an install, in the one Secret that only the injector reads; the newest last. */
const stateSchema = z.object({
  /** Vouch for weir's own Services. */
  services: z.array(authority).min(1),
  /** For the Services, signed by one of `services`. */
  serving: pair,
  /** Vouch for the intercepted hosts, each with a certificate for those of today. */
  intercept: z.array(authority.extend({ leaf: pair.extend({ hosts: z.array(z.string()) }) })).min(1),
});
export type Certificates = z.output<typeof stateSchema>;

export interface CertificateNeeds {
  /** DNS names of weir's Services. */
  services: string[];
  /** Hosts that are intercepted. */
  hosts: string[];
  now: number;
  rotateBeforeDays: number;
}

/** Reads what was kept; null: nothing yet, or nothing that this release understands. */
export function readCertificates(text: string | undefined): Certificates | null {
  if (text === undefined || text === '') return null;
  return stateSchema.parse(JSON.parse(text));
}

/**
 * The certificates that are needed now: what is good stays, the rest is made anew. The old authorities stay, so
 * that who trusts only them is served; what is more than needed stays, so that releases do not take turns.
 */
export async function renewCertificates(
  kept: Certificates | null,
  { services: names, hosts, now, rotateBeforeDays }: CertificateNeeds,
): Promise<Certificates> {
  const rotateMs = rotateBeforeDays * dayMs;
  const make = async (name: string, over: string[]) => ({
    ...(await makeAuthority(name, over, now)),
    hosts: over,
    since: now,
  });

  const services = alive(kept?.services ?? [], now);
  if (!isGood(services.at(-1), names, now, rotateMs)) services.push(await make('weir services', names));
  const signer = services.findLast(({ since }) => since + knownAfterMs <= now) ?? services[0];
  if (!signer) throw new Error('there is no authority');
  const isServing =
    kept &&
    isSignedBy(kept.serving, signer) &&
    covers(kept.serving.cert, names) &&
    !ends(kept.serving, now, rotateMs);
  const serving = isServing ? kept.serving : await issue(signer, names, now, servingDays);

  const intercept = alive(kept?.intercept ?? [], now);
  const wanted = hosts.length > 0 ? hosts : ['weir.invalid'];
  if (!isGood(intercept.at(-1), wanted, now, rotateMs)) {
    const made = await make('weir', wanted);
    intercept.push({ ...made, leaf: { ...(await issue(made, wanted, now, leafDays)), hosts: wanted } });
  }
  const renewed = await Promise.all(
    intercept.map(async (each) => {
      const possible = [
        ...new Set([...wanted.filter((host) => each.hosts.includes(host)), ...each.leaf.hosts]),
      ];
      const isEnough = possible.every((host) => each.leaf.hosts.includes(host));
      if (isEnough && !ends(each.leaf, now, (leafDays / 2) * dayMs)) return each;
      return { ...each, leaf: { ...(await issue(each, possible, now, leafDays)), hosts: possible } };
    }),
  );
  return { services, serving, intercept: renewed };
}

function alive<T extends Pair>(list: T[], now: number): T[] {
  return list.filter(({ cert }) => endOf(cert) > now).slice(-keptAuthorities);
}

function isGood(
  newest: { cert: string; hosts: string[] } | undefined,
  needed: string[],
  now: number,
  rotateMs: number,
): boolean {
  return (
    newest !== undefined &&
    needed.every((host) => newest.hosts.includes(host)) &&
    !ends(newest, now, rotateMs)
  );
}

function ends({ cert }: { cert: string }, now: number, withinMs: number): boolean {
  return endOf(cert) - now < withinMs;
}

function isSignedBy({ cert }: Pair, { cert: authority }: Pair): boolean {
  return new X509Certificate(cert).verify(new X509Certificate(authority).publicKey);
}

function covers(cert: string, names: string[]): boolean {
  const certificate = new X509Certificate(cert);
  return names.every((name) => certificate.checkHost(name) !== undefined);
}
