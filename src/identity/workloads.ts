import { hash } from 'node:crypto';
import { jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { WorkloadsConfig } from '../config/organizations.ts';
import type { Workload } from './identity.ts';
import { createKeySet, keysOf, type LoadKeys } from './jwks.ts';

/** Tokens whose workload is remembered: a pod has one for about an hour. */
const remembered = 20_000;
/** A token that is not valid is not looked at again for so long. */
const refusedMs = 30_000;
/** Kubernetes signs with RS256 or ES256; no algorithm in which a public key could be used as a secret. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA'];
const clockToleranceS = 10;

/** What Kubernetes says in a service-account token (kubernetes.io/docs: "Service account tokens"). */
const claims = z.object({
  exp: z.number(),
  'kubernetes.io': z.object({
    namespace: z.string().min(1),
    serviceaccount: z.object({ name: z.string().min(1) }),
    pod: z.object({ name: z.string(), uid: z.string() }).optional(),
  }),
});

/** Who a token is of; null: it is none that is valid here. A promise only the first time. */
export type ReadWorkload = (token: string) => Workload | null | Promise<Workload | null>;

/** The workload whose token an `authorization` header shows; null: it shows none that is valid here. */
export function readBearer(authorization: unknown, workloads: ReadWorkload): ReturnType<ReadWorkload> {
  const [, token] = /^bearer\s+(\S+)$/i.exec(String(authorization ?? '')) ?? [];
  return token === undefined ? null : workloads(token);
}

/** Verifies service-account tokens against the cluster's keys, each once. null: the config names no keys. */
export function createWorkloads(
  config: WorkloadsConfig,
  { log, now, load }: { log: Logger; now: () => number; load?: LoadKeys },
): ReadWorkload | null {
  const { jwks, issuer, audience, cluster } = config;
  if (jwks === undefined) return null;
  const key = createKeySet({
    load: load ?? keysOf({ ...config, jwks }),
    now,
    failed: (error) => log.warn({ err: error }, 'the keys of service-account tokens cannot be read'),
  });
  const known = new LRUCache<string, { workload: Workload | null; until: number }>({ max: remembered });
  const running = new Map<string, Promise<Workload | null>>();

  async function verify(token: string, name: string): Promise<Workload | null> {
    try {
      const { payload } = await jwtVerify(token, key, {
        algorithms,
        audience,
        clockTolerance: clockToleranceS,
        currentDate: new Date(now()),
        requiredClaims: ['exp'],
        ...(issuer !== undefined && { issuer }),
      });
      const { exp, 'kubernetes.io': told } = claims.parse(payload);
      const workload = {
        cluster,
        namespace: told.namespace,
        serviceAccount: told.serviceaccount.name,
        pod: told.pod?.name ?? null,
        podUid: told.pod?.uid ?? null,
      };
      known.set(name, { workload, until: exp * 1000 });
      return workload;
    } catch (error) {
      log.warn(
        { reason: error instanceof Error ? error.message : String(error) },
        'a service-account token is not valid here: the call goes on without a workload',
      );
      known.set(name, { workload: null, until: now() + refusedMs });
      return null;
    } finally {
      running.delete(name);
    }
  }

  return (token) => {
    // A token is a secret: what is kept of it is its hash.
    const name = hash('sha256', token, 'base64');
    const found = known.get(name);
    if (found && found.until > now()) return found.workload;
    let work = running.get(name);
    if (!work) {
      work = verify(token, name);
      running.set(name, work);
    }
    return work;
  };
}
