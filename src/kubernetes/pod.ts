import { z } from 'zod';

const environmentVariable = z.looseObject({ name: z.string(), value: z.string().optional() });
const securityContext = z.looseObject({ runAsUser: z.number().nullish() });

const container = z.looseObject({
  name: z.string(),
  image: z.string().optional(),
  restartPolicy: z.string().nullish(),
  env: z.array(environmentVariable).nullish(),
  envFrom: z.array(z.unknown()).nullish(),
  volumeMounts: z.array(z.looseObject({ name: z.string(), mountPath: z.string() })).nullish(),
  securityContext: securityContext.nullish(),
});
export type Container = z.output<typeof container>;

/** As much of a Pod as is looked at; everything else stays as it is (Kubernetes API reference, Pod v1). */
export const podSchema = z.looseObject({
  metadata: z.looseObject({
    name: z.string().optional(),
    generateName: z.string().optional(),
    labels: z.record(z.string(), z.string()).nullish(),
    annotations: z.record(z.string(), z.string()).nullish(),
  }),
  spec: z.looseObject({
    containers: z.array(container),
    initContainers: z.array(container).nullish(),
    volumes: z.array(z.looseObject({ name: z.string() })).nullish(),
    hostNetwork: z.boolean().nullish(),
    os: z.looseObject({ name: z.string() }).nullish(),
    nodeSelector: z.record(z.string(), z.string()).nullish(),
    serviceAccountName: z.string().nullish(),
    securityContext: securityContext.nullish(),
  }),
});
export type Pod = z.output<typeof podSchema>;

/** Names that users and weir agree on. */
export const label = 'weir.dev/inject';
export const annotation = {
  injected: 'weir.dev/injected',
  authority: 'weir.dev/authority',
  trust: 'weir.dev/trust',
} as const;

/** What is of weir's in a pod. */
export const ours = { init: 'weir-init', proxy: 'weir-proxy' } as const;
export const volumes = { trust: 'weir-trust', proxy: 'weir-proxy', token: 'weir-token' } as const;
/** Where the application finds what it trusts. */
export const trustDirectory = '/etc/weir/trust';
export const proxyDirectory = '/etc/weir/proxy';
export const tokenDirectory = '/var/run/secrets/weir.dev/token';
