import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configSchema } from '../../src/config/schema.ts';
import { type InjectContext, inject } from '../../src/kubernetes/inject.ts';
import { jsonPatch } from '../../src/kubernetes/json-patch.ts';
import { type Pod, podSchema } from '../../src/kubernetes/pod.ts';
import { podSettings } from '../../src/pod/prepare.ts';
import { rules } from '../../src/pod/redirect.ts';

const config = configSchema.parse({});
const context: InjectContext = {
  config: config.kubernetes,
  providers: config.providers,
  version: '1.2.3',
  authority: { cert: 'AUTHORITY', fingerprint: 'aaaa' },
  trust: { certs: 'TRUST', fingerprint: 'bbbb' },
  extraRoots: '',
  namespaceLabels: {},
};

function pod(container: object = {}, annotations: Record<string, string> = {}, labels = {}): Pod {
  const app = { name: 'app', image: 'app:1', ...container };
  return podSchema.parse({ metadata: { name: 'p', labels, annotations }, spec: { containers: [app] } });
}

function injected(given: Pod, from: InjectContext = context) {
  const result = inject(given, from);
  assert.equal(result.kind, 'injected', JSON.stringify(result));
  return result.kind === 'injected' ? result : assert.fail();
}

function settings(given: Pod) {
  const args = injected(given).pod.spec.initContainers?.[0]?.args as string[];
  return podSettings.parse(JSON.parse(args[2] ?? ''));
}

const variables = (given: Pod) =>
  new Map(injected(given).pod.spec.containers[0]?.env?.map(({ name, value }) => [name, value]));

test('what a container has set itself stays; the rest makes it trust weir', () => {
  const env = variables(
    pod({
      env: [
        { name: 'SSL_CERT_FILE', value: '/own.pem' },
        { name: 'OPENAI_API_KEY', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
        { name: 'JAVA_TOOL_OPTIONS', value: '-Xmx1g' },
      ],
    }),
  );
  assert.equal(env.get('SSL_CERT_FILE'), '/own.pem');
  assert.equal(env.get('OPENAI_API_KEY'), undefined);
  assert.equal(env.get('ANTHROPIC_API_KEY'), 'weir_workload');
  assert.equal(env.get('NODE_EXTRA_CA_CERTS'), '/etc/weir/trust/weir.pem');
  assert.match(env.get('JAVA_TOOL_OPTIONS') ?? '', /^-Xmx1g -Djavax\.net\.ssl\.trustStore=/);
  assert.equal(variables(pod({ envFrom: [{}] })).has('OPENAI_API_KEY'), false, 'a key may come from there');
  assert.equal(variables(pod({}, { 'weir.dev/keys': 'none' })).has('OPENAI_API_KEY'), false);
});

test('JAVA_TOOL_OPTIONS from elsewhere is left alone, with a warning', () => {
  const given = pod({ env: [{ name: 'JAVA_TOOL_OPTIONS', valueFrom: {} }] });
  assert.match(injected(given).warnings.join(), /JAVA_TOOL_OPTIONS/);
});

test('what a pod asks for reaches its sidecar', () => {
  const asked = settings(
    pod({}, { 'weir.dev/excluded-cidrs': '203.0.113.0/24, 2001:db8::/32', 'weir.dev/on-failure': 'closed' }),
  );
  assert.ok(asked.excludedCidrs.includes('203.0.113.0/24') && asked.excludedCidrs.includes('2001:db8::/32'));
  assert.equal(asked.metadata.on_failure, 'closed');
  assert.ok(asked.closedHosts.includes('api.openai.com'));
  assert.deepEqual(settings(pod({}, { 'weir.dev/excluded-ports': '443' })).ports, []);
  assert.equal(settings(pod({}, {}, { 'weir.dev/inject': 'required' })).metadata.on_failure, 'closed');
  const some = { ...context, config: { ...context.config, providers: ['openai'] } };
  const more = injected(pod({}, { 'weir.dev/additional-providers': 'groq' }), some);
  assert.match(JSON.stringify(more.pod.spec.initContainers), /groq/);
  const sized = injected(pod({}, { 'weir.dev/proxy-memory-limit': '1Gi' })).pod.spec.initContainers?.[1];
  assert.deepEqual(Object(sized?.resources).limits, { memory: '1Gi' });
});

test('what cannot be read is refused with what would be right', () => {
  for (const [annotations, message] of [
    [{ 'weir.dev/modee': 'env' }, /did you mean weir.dev\/mode/],
    [{ 'weir.dev/excluded-cidrs': 'here' }, /a range such as/],
    [{ 'weir.dev/additional-providers': 'nobody' }, /knows no provider nobody/],
  ] as const) {
    const result = inject(pod({}, annotations), context);
    assert.equal(result.kind, 'refused');
    assert.match(result.kind === 'refused' ? result.message : '', message);
  }
});

test('twice is the same as once, and a patch says what changes', () => {
  const once = injected(pod()).pod;
  assert.deepEqual(injected(once).pod, once);
  assert.deepEqual(jsonPatch(once, injected(once).pod), []);
  assert.deepEqual(jsonPatch({ 'a/b': 1, c: [1, 2] }, { c: [1, 3], d: null }), [
    { op: 'remove', path: '/a~1b' },
    { op: 'replace', path: '/c/1', value: 3 },
    { op: 'add', path: '/d', value: null },
  ]);
});

test('the rules let go the proxy, other meshes and what is excluded, in this order, and redirect the rest', () => {
  const redirect = { ports: [443], to: 16_001, uids: [16_001, 1337], excluded: ['10.0.0.0/8', 'fc00::/7'] };
  assert.equal(
    rules(redirect, 6),
    `*nat
:WEIR_OUTPUT - [0:0]
-A WEIR_OUTPUT -m owner --uid-owner 16001 -j RETURN
-A WEIR_OUTPUT -m owner --uid-owner 1337 -j RETURN
-A WEIR_OUTPUT -o lo -j RETURN
-A WEIR_OUTPUT -d ::1/128 -j RETURN
-A WEIR_OUTPUT -d fc00::/7 -j RETURN
-A WEIR_OUTPUT -p tcp -m multiport --dports 443 -j REDIRECT --to-ports 16001
-I OUTPUT 1 -p tcp -j WEIR_OUTPUT
COMMIT
`,
  );
  assert.doesNotMatch(rules(redirect, 4), /fc00/);
});
