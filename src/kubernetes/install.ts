import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { KubernetesConfig } from '../config/kubernetes.ts';
import { type Certificates, readCertificates, renewCertificates } from './certificates.ts';
import type { AskKubernetes } from './client.ts';
import { changeSecret } from './secrets.ts';
import { serviceNames } from './sidecar-xds.ts';

/** The objects of the chart that the injector fills. */
export const objects = (name: string) => ({
  authority: `${name}-authority`,
  serving: `${name}-serving`,
  webhook: `${name}-injector`,
  encryption: `${name}-encryption`,
});

const webhookConfiguration = z.looseObject({
  webhooks: z
    .array(z.looseObject({ clientConfig: z.looseObject({ caBundle: z.string().optional() }) }))
    .optional(),
});

/**
 * Makes what the install lacks of certificates, and puts it where it belongs: the Secret that processors and
 * collectors mount, and the bundle of the webhook. Several injectors may do so at once. Rejects when the
 * Kubernetes API does not answer.
 */
export async function keepCertificates(
  ask: AskKubernetes,
  config: KubernetesConfig,
  { hosts, now }: { hosts: string[]; now: number },
): Promise<Certificates> {
  const { name, namespace } = config;
  const { authority, serving, webhook, encryption } = objects(name);
  const needs = {
    services: Object.values(serviceNames(config)),
    hosts,
    now,
    rotateBeforeDays: config.rotate_before,
  };
  const { state } = await changeSecret(ask, { namespace, name: authority }, async ({ state }) => {
    const text = JSON.stringify(await renewCertificates(readCertificates(state), needs));
    return text === state ? null : { state: text };
  });
  const certificates = readCertificates(state);
  if (!certificates) throw new Error(`the Secret ${namespace}/${authority} holds no certificates`);
  const bundle = bundleOf(certificates);
  await changeSecret(ask, { namespace, name: serving }, async (data) => {
    const { cert, key } = certificates.serving;
    const wanted = { 'tls.crt': cert, 'tls.key': key, 'ca.crt': bundle };
    return Object.entries(wanted).every(([file, text]) => data[file] === text) ? null : wanted;
  });
  if (config.seal_key) {
    const key = { id: 'k1', key: randomBytes(32).toString('base64') };
    await changeSecret(ask, { namespace, name: encryption }, async ({ keys }) =>
      keys ? null : { keys: JSON.stringify([key]) },
    );
  }
  await trustWebhook(ask, webhook, bundle);
  return certificates;
}

/** PEM of everyone who vouches, or has vouched, for weir's Services. */
export function bundleOf({ services }: Certificates): string {
  return services.map(({ cert }) => cert).join('');
}

async function trustWebhook(ask: AskKubernetes, name: string, bundle: string): Promise<void> {
  const path = `/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/${name}`;
  const { webhooks = [] } = webhookConfiguration.parse(await ask('GET', path));
  const wanted = Buffer.from(bundle).toString('base64');
  const changes = webhooks.flatMap(({ clientConfig }, index) =>
    clientConfig.caBundle === wanted
      ? []
      : [{ op: 'add', path: `/webhooks/${index}/clientConfig/caBundle`, value: wanted }],
  );
  if (changes.length > 0) await ask('PATCH', path, changes);
}
