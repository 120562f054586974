import { z } from 'zod';
import { address, name } from './values.ts';

const inPod = '/var/run/secrets/kubernetes.io/serviceaccount';
const cidr = z.union([z.cidrv4(), z.cidrv6()], { error: 'a range such as 10.0.0.0/8' });
const port = z.int().min(1).max(65_535);

/** Of a container, as Kubernetes takes them: `cpu: 100m`, `memory: 128Mi`. */
const resources = z.strictObject({
  requests: z.record(z.string(), z.string()).optional().describe('What it is sure to have: `cpu`, `memory`.'),
  limits: z.record(z.string(), z.string()).optional().describe('What it may have.'),
});

/** How sidecars come into pods: what the chart sets, and its values override. */
export const kubernetesSchema = z
  .strictObject({
    webhook: address.prefault('0.0.0.0:10250').describe('Where the injector takes admission reviews.'),
    xds: address.prefault('0.0.0.0:10251').describe('Where sidecars ask for their configuration.'),
    health: address.prefault('0.0.0.0:10252').describe('Probes and metrics of the injector.'),
    name: name.default('weir').describe('The names of weir’s own objects begin with it.'),
    namespace: name.default('weir').describe('Where weir itself runs; its pods are left alone.'),
    image: z.string().default('weir').describe('weir’s image, for the init container of pods.'),
    envoy_image: z.string().default('envoyproxy/envoy:v1.40.0').describe('Envoy’s image, for sidecars.'),
    pull_policy: z
      .enum(['Always', 'IfNotPresent', 'Never'])
      .default('IfNotPresent')
      .describe('When nodes fetch these images.'),
    mode: z
      .enum(['sidecar', 'env'])
      .default('sidecar')
      .describe(
        '`sidecar` intercepts; `env` sets base URLs that point to the gateway, and needs no rights in the pod.',
      ),
    providers: z
      .array(name)
      .optional()
      .describe('Whose hosts are intercepted; default: those of all providers.'),
    ports: z.array(port).min(1).max(15).prefault([443]).describe('Ports that are intercepted.'),
    excluded_cidrs: z
      .array(cidr)
      .prefault(['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.169.254/32', 'fc00::/7'])
      .describe('Destinations that are never intercepted: ranges of pods and services, the API server.'),
    intercept_port: port.default(16_001).describe('Where the sidecar takes redirected connections.'),
    ready_port: port.default(16_002).describe('Where probes ask the sidecar.'),
    processor_port: port.default(9443).describe('Of the Service of the processors.'),
    collector_port: port.default(4319).describe('Of the Service of the collectors, for sidecars.'),
    uid: z
      .int()
      .min(1)
      .default(16_001)
      .describe('Whom the sidecar runs as; nothing else in a pod may run as it.'),
    extra_roots_file: z
      .string()
      .optional()
      .describe(
        'PEM file of roots that applications trust besides the public ones, such as a company’s own.',
      ),
    proxy_resources: resources
      .prefault({ requests: { cpu: '50m', memory: '64Mi' }, limits: { memory: '512Mi' } })
      .describe('Of the sidecar.'),
    init_resources: resources
      .prefault({ requests: { cpu: '50m', memory: '64Mi' }, limits: { memory: '256Mi' } })
      .describe('Of the init container.'),
    seal_key: z
      .boolean()
      .default(false)
      .describe('The injector makes `encryption.keys` into a Secret, where there are none.'),
    rotate_before: z
      .int()
      .min(1)
      .default(30)
      .describe('Certificates are renewed so many days before they end.'),
    api: z
      .strictObject({
        url: z.url().default('https://kubernetes.default.svc').describe('The Kubernetes API.'),
        ca_file: z.string().default(`${inPod}/ca.crt`).describe('PEM file that vouches for it.'),
        token_file: z
          .string()
          .default(`${inPod}/token`)
          .describe('What is shown to it, read anew each time.'),
      })
      .prefault({}),
  })
  .prefault({});

export type KubernetesConfig = z.output<typeof kubernetesSchema>;
