import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configSchema } from '../../src/config/schema.ts';
import { renewCertificates } from '../../src/kubernetes/certificates.ts';
import { createSidecarXds } from '../../src/kubernetes/sidecar-xds.ts';

test('an Envoy that cannot choose anew before each attempt is given no plans', async () => {
  const { providers, models, kubernetes } = configSchema.parse({
    providers: {
      openai: { api: 'openai', base_url: 'https://api.openai.com/v1', api_key: 'a' },
      anthropic: { api: 'anthropic', base_url: 'https://api.anthropic.com', api_key: 'b' },
    },
    models: { 'gpt-4o': { provider: 'openai', fallback: [{ provider: 'anthropic', model: 'claude' }] } },
  });
  const certificates = await renewCertificates(null, {
    services: ['weir-processor.weir.svc'],
    hosts: ['api.openai.com'],
    now: Date.now(),
    rotateBeforeDays: 30,
  });
  const state = {
    ...{ config: kubernetes, providers, models, certificates },
    ...{ onFailure: 'auto' as const, rootsOf: new Map<string, string>() },
  };
  const workload = { cluster: 'c', namespace: 'n', serviceAccount: 's', pod: null, podUid: null };
  const answer = createSidecarXds({ state: () => state, workloads: () => workload });
  const ask = async (kind: string, version: object) => {
    const node = { id: 'p', cluster: 'weir-gateway', metadata: {}, user_agent_build_version: version };
    const { body } = await answer({
      method: 'POST',
      path: `/v3/discovery:${kind}`,
      headers: { authorization: 'Bearer x' },
      body: JSON.stringify({ node }),
    });
    return body ?? '';
  };
  const of = (minor_number: number) => ({ version: { major_number: 1, minor_number } });
  for (const [kind, told] of [
    ['routes', /x-weir-planned.*refresh_cluster_on_retry/],
    ['clusters', /"attempt-told-anthropic"/],
  ] as const) {
    assert.match(await ask(kind, of(40)), told);
    for (const older of [of(39), {}])
      assert.doesNotMatch(await ask(kind, older), /planned|attempt-told|priority_group/);
  }
});
