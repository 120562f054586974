import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { podSchema } from '../../src/kubernetes/pod.ts';
import { startCluster, type TestCluster } from './fixtures/cluster.ts';
import { chart, prepareInstall } from './fixtures/install.ts';
import { until } from './fixtures/processes.ts';
import { createNamespace, createPod, plainPod } from './fixtures/sidecar.ts';

const webhookPath = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/weir-injector';

async function podsIn(cluster: TestCluster, namespace: string, selector: string) {
  const path = `/api/v1/namespaces/${namespace}/pods?labelSelector=${encodeURIComponent(selector)}`;
  const { items } = (await cluster.ask('GET', path)) as { items: unknown[] };
  return items.map((item) => podSchema.parse(item));
}

const initNames = (pod: { spec: { initContainers?: { name: string }[] | null | undefined } }) =>
  (pod.spec.initContainers ?? []).map(({ name }) => name);

async function trustedBundles(cluster: TestCluster): Promise<(string | undefined)[]> {
  const { webhooks } = (await cluster.ask('GET', webhookPath)) as {
    webhooks: { clientConfig: { caBundle?: string } }[];
  };
  return webhooks.map(({ clientConfig }) => clientConfig.caBundle);
}

test('an install, from helm install to helm uninstall', async (t) => {
  const cluster = await startCluster(t, 'full');
  const values = { postgres: { existingSecret: 'pg' }, processor: { autoscaling: { enabled: true } } };

  await t.test('the API server takes all that the chart can render', async () => {
    await cluster.kubectl('create', 'namespace', 'trial');
    // Nothing of a dry run stays, and the pod of the chart's own test is held to its account.
    await cluster.kubectl('create', 'serviceaccount', 'weir-injector', '-n', 'trial');
    for (const set of [
      ['trial=true'],
      ['postgres.existingSecret=pg', 'redis.existingSecret=r', 'processor.persistence.enabled=true'],
      ['providerKeys.openai.existingSecret=k', 'providerKeys.openai.key=openai', 'gateway.enabled=false'],
    ]) {
      const all = set.flatMap((each) => ['--set', each]);
      const file = join(cluster.directory, 'rendered.yaml');
      writeFileSync(file, await cluster.helm('template', 'weir', chart, '-n', 'trial', ...all));
      await cluster.kubectl('apply', '-n', 'trial', '-f', file, '--dry-run=server', '--validate=strict');
    }
  });

  const install = await prepareInstall(t, cluster, {
    postgres: 'postgres://nobody@localhost/none',
    helm: true,
    values,
    // Serving certificates last 90 days: so each look makes a new one.
    config: { kubernetes: { rotate_before: 91 } },
  });
  let injector = await install.injector();
  await createNamespace(cluster, 'shop', { 'weir.dev/inject': 'enabled' });
  await createNamespace(cluster, 'plain', {});
  await createNamespace(cluster, 'strict', {
    'weir.dev/inject': 'enabled',
    'pod-security.kubernetes.io/enforce': 'restricted',
  });
  for (const name of ['shop', 'plain', 'strict', 'weir'])
    await until('the service account is there', () =>
      cluster.ask('GET', `/api/v1/namespaces/${name}/serviceaccounts/default`),
    );
  // The API server takes a moment to see the bundle.
  await until('the webhook is called', async () => {
    const dry = '/api/v1/namespaces/shop/pods?dryRun=All';
    const pod = podSchema.parse(
      await cluster.ask('POST', dry, plainPod('probe', { labels: { 'weir.dev/inject': 'required' } })),
    );
    return initNames(pod).length === 2;
  });

  await t.test(
    'pods of a labelled namespace, and labelled pods elsewhere, get a sidecar; others do not',
    async () => {
      const deployment = (namespace: string, labels: Record<string, string> = {}) =>
        cluster.ask('POST', `/apis/apps/v1/namespaces/${namespace}/deployments`, {
          apiVersion: 'apps/v1',
          kind: 'Deployment',
          metadata: { name: 'app' },
          spec: {
            replicas: 2,
            selector: { matchLabels: { app: 'app' } },
            template: {
              metadata: { labels: { app: 'app', ...labels } },
              spec: { containers: [{ name: 'app', image: 'example.invalid/app:1' }] },
            },
          },
        });
      await deployment('shop');
      await deployment('plain');
      const running = (namespace: string) =>
        until(`the pods in ${namespace} run`, async () => {
          const pods = await podsIn(cluster, namespace, 'app=app');
          const isReady = pods.length === 2 && pods.every((pod) => Object(pod.status).phase === 'Running');
          return isReady && pods;
        });
      for (const pod of await running('shop')) assert.deepEqual(initNames(pod), ['weir-init', 'weir-proxy']);
      for (const pod of await running('plain')) assert.deepEqual(initNames(pod), []);

      const labelled = await createPod(cluster, 'plain', plainPod('labelled'));
      assert.deepEqual(initNames(labelled), ['weir-init', 'weir-proxy']);
      const out = await createPod(
        cluster,
        'shop',
        plainPod('out', { labels: { 'weir.dev/inject': 'disabled' } }),
      );
      assert.deepEqual(initNames(out), []);
      const own = await createPod(cluster, 'weir', plainPod('own'));
      assert.deepEqual(initNames(own), []);
      const windows = plainPod('windows', { spec: { os: { name: 'windows' } } });
      assert.deepEqual(initNames(await createPod(cluster, 'shop', windows)), []);
    },
  );

  await t.test('a Job ends with its sidecar, and a CronJob makes such Jobs', async () => {
    const template = {
      spec: { restartPolicy: 'Never', containers: [{ name: 'job', image: 'example.invalid/job:1' }] },
    };
    await cluster.ask('POST', '/apis/batch/v1/namespaces/shop/jobs', {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'once' },
      spec: { template },
    });
    await cluster.ask('POST', '/apis/batch/v1/namespaces/shop/cronjobs', {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'often' },
      spec: { schedule: '* * * * *', jobTemplate: { spec: { template } } },
    });
    const [pod] = await until('the Job has a pod', async () => {
      const pods = await podsIn(cluster, 'shop', 'job-name=once');
      return pods.length > 0 && pods;
    });
    assert.deepEqual(pod && initNames(pod), ['weir-init', 'weir-proxy']);
    assert.equal(pod?.spec.initContainers?.[1]?.restartPolicy, 'Always');
    await until('the Job is complete', async () => {
      const { status } = (await cluster.ask('GET', '/apis/batch/v1/namespaces/shop/jobs/once')) as {
        status: { succeeded?: number };
      };
      return status.succeeded === 1;
    });
  });

  await t.test('twice is the same as once', async () => {
    const once = await createPod(
      cluster,
      'shop',
      plainPod('once', { spec: { automountServiceAccountToken: false } }),
    );
    const { initContainers, containers, volumes } = once.spec;
    const spec = {
      automountServiceAccountToken: false,
      initContainers,
      containers,
      volumes: volumes?.filter(({ name }) => name.startsWith('weir-')),
    };
    const again = {
      ...plainPod('twice', { spec }),
      metadata: { ...plainPod('twice').metadata, annotations: once.metadata.annotations },
    };
    const twice = await createPod(cluster, 'shop', again);
    const seen = (pod: typeof once) => ({
      ...pod.spec,
      volumes: pod.spec.volumes?.filter(({ name }) => name.startsWith('weir-')),
    });
    assert.deepEqual(seen(twice), seen(once));
  });

  await t.test('who cannot have a sidecar is told why, and the way out', async () => {
    const host = plainPod('host', { spec: { hostNetwork: true } });
    await assert.rejects(createPod(cluster, 'shop', host), /hostNetwork.*weir.dev\/inject: disabled/);
    const same = plainPod('same', { spec: { securityContext: { runAsUser: 16_001 } } });
    await assert.rejects(createPod(cluster, 'shop', same), /runs as user 16001/);
    const wrong = plainPod('wrong', { annotations: { 'weir.dev/exclude-ports': '443' } });
    await assert.rejects(createPod(cluster, 'shop', wrong), /did you mean weir.dev\/excluded-ports/);

    const confined = {
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'app',
          image: 'example.invalid/app:1',
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        },
      ],
    };
    await assert.rejects(
      createPod(cluster, 'strict', plainPod('no', { spec: confined })),
      /restricted.*mode: env/,
    );
    const annotations = { 'weir.dev/mode': 'env' };
    const env = await createPod(cluster, 'strict', plainPod('env', { spec: confined, annotations }));
    assert.deepEqual(initNames(env), []);
    const set = Object.fromEntries(
      (env.spec.containers[0]?.env ?? []).map(({ name, value }) => [name, value]),
    );
    assert.equal(set.OPENAI_BASE_URL, 'http://weir-gateway.weir.svc:10000/v1');
  });

  await t.test('no pod is lost while certificates change', async () => {
    const secret = '/api/v1/namespaces/weir/secrets/weir-serving';
    const current = async () =>
      ((await cluster.ask('GET', secret)) as { data: Record<string, string> }).data['tls.crt'];
    const seen = new Set([await current()]);
    const deadline = Date.now() + 120_000;
    while (seen.size < 3) {
      const pod = plainPod('rotating', { labels: { 'weir.dev/inject': 'required' } });
      assert.deepEqual(initNames(await createPod(cluster, 'shop', pod)), ['weir-init', 'weir-proxy']);
      await cluster.ask('DELETE', '/api/v1/namespaces/shop/pods/rotating?gracePeriodSeconds=0');
      seen.add(await current());
      assert.ok(Date.now() < deadline, 'the certificate changes');
      await delay(100);
    }
  });

  await t.test('a dead injector blocks nothing but pods that must not run without it', async () => {
    await injector.end('SIGKILL');
    const through = await createPod(cluster, 'shop', plainPod('through'));
    assert.deepEqual(initNames(through), []);
    const must = plainPod('must', { labels: { 'weir.dev/inject': 'required' } });
    await assert.rejects(
      createPod(cluster, 'shop', must),
      /failed calling webhook "required.inject.weir.dev"/,
    );
    injector = await install.injector();
    assert.equal(initNames(await createPod(cluster, 'shop', must)).length, 2);
  });

  await t.test('upgrade and rollback keep what the injector has made', async () => {
    const bundles = await trustedBundles(cluster);
    assert.ok(bundles.every((bundle) => bundle));
    const upgrade = ['upgrade', 'weir', chart, '-n', 'weir', '-f', install.values];
    await cluster.helm(...upgrade, '--set', 'collector.replicas=3', '--wait', '--timeout', '90s');
    assert.deepEqual(await trustedBundles(cluster), bundles);
    await cluster.helm('rollback', 'weir', '1', '-n', 'weir', '--wait', '--timeout', '90s');
    assert.deepEqual(await trustedBundles(cluster), bundles);
    assert.equal(initNames(await createPod(cluster, 'shop', plainPod('after'))).length, 2);
  });

  await t.test('uninstall leaves nothing behind, and blocks nothing', async () => {
    await injector.end();
    await cluster.helm('uninstall', 'weir', '-n', 'weir', '--wait', '--timeout', '90s');
    const kinds =
      'deployments,statefulsets,services,secrets,configmaps,serviceaccounts,roles,rolebindings,jobs,poddisruptionbudgets,networkpolicies,horizontalpodautoscalers,clusterroles,clusterrolebindings,mutatingwebhookconfigurations';
    const left = await until('all is gone', async () => {
      const names = await cluster.kubectl(
        'get',
        kinds,
        '-A',
        '-l',
        'app.kubernetes.io/name=weir',
        '-o',
        'name',
      );
      return names.trim() === '' ? 'nothing' : null;
    });
    assert.equal(left, 'nothing');
    // It would wait for a finalizer that nobody takes off any more.
    await cluster.kubectl('delete', 'namespace', 'weir', '--timeout=60s');
    const must = plainPod('free', { labels: { 'weir.dev/inject': 'required' } });
    assert.deepEqual(initNames(await createPod(cluster, 'shop', must)), []);
  });
});
