import type { KubernetesConfig } from '../config/kubernetes.ts';
import type { Config, ProviderConfig } from '../config/schema.ts';
import { podFiles } from '../pod/prepare.ts';
import { type Container, trustDirectory } from './pod.ts';

type Variable = NonNullable<Container['env']>[number];
type Api = ProviderConfig['api'];

const bundle = `${trustDirectory}/${podFiles.bundle}`;
/** Where runtimes look for what they trust. Node adds to its own roots; for the others it is all there is. */
const trusted: Record<string, string> = {
  NODE_EXTRA_CA_CERTS: `${trustDirectory}/${podFiles.authority}`,
  SSL_CERT_FILE: bundle,
  REQUESTS_CA_BUNDLE: bundle,
  CURL_CA_BUNDLE: bundle,
  AWS_CA_BUNDLE: bundle,
  GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: bundle,
  DENO_CERT: bundle,
  GIT_SSL_CAINFO: bundle,
};
const javaTrust = `-Djavax.net.ssl.trustStore=${trustDirectory}/${podFiles.java} -Djavax.net.ssl.trustStoreType=PKCS12`;

/** "Know me by my workload's token": SDKs insist on a key (src/identity/credentials.ts). */
const workloadMark = 'weir_workload';

/** The container's variables with what makes it trust weir; what it has set itself stays. */
export function trustEnvironment(
  container: Container,
  options: { providers: string[]; api: (provider: string) => Api | undefined; keys: 'workload' | 'none' },
): { env: Variable[]; warnings: string[] } {
  const warnings: string[] = [];
  const env = withMissing(container.env ?? [], {
    ...trusted,
    // What comes from elsewhere may hold a key: to set one would hide it.
    ...(options.keys === 'workload' && !container.envFrom?.length && keysOf(options)),
  });
  const java = env.find(({ name }) => name === 'JAVA_TOOL_OPTIONS');
  if (!java) return { env: [...env, { name: 'JAVA_TOOL_OPTIONS', value: javaTrust }], warnings };
  if (java.value === undefined) {
    warnings.push(
      `container ${container.name}: JAVA_TOOL_OPTIONS comes from elsewhere and is left alone: Java will not trust weir unless it holds ${javaTrust}`,
    );
    return { env, warnings };
  }
  if (java.value.includes('-Djavax.net.ssl.trustStore=')) return { env, warnings };
  const appended = { ...java, value: `${java.value} ${javaTrust}` };
  return { env: env.map((each) => (each === java ? appended : each)), warnings };
}

/** For SDKs that insist on a key. */
function keysOf({ providers, api }: { providers: string[]; api: (name: string) => Api | undefined }) {
  const names = providers.filter((name) => api(name) !== 'bedrock');
  return Object.fromEntries(names.map((name) => [`${variable(name)}_API_KEY`, workloadMark]));
}

/** Base URLs that point to the gateway, in the names that the SDKs of each family read. */
export function gatewayEnvironment(
  container: Container,
  { name, namespace }: Pick<KubernetesConfig, 'name' | 'namespace'>,
  providers: Config['providers'],
): Variable[] {
  const gateway = `http://${name}-gateway.${namespace}.svc:10000`;
  const families: Record<string, string> = {
    OPENAI_BASE_URL: `${gateway}/v1`,
    ANTHROPIC_BASE_URL: gateway,
    GOOGLE_GEMINI_BASE_URL: gateway,
  };
  const own = Object.keys(providers)
    .filter((provider) => !['openai', 'anthropic', 'gemini'].includes(provider))
    .map((provider) => [`${variable(provider)}_BASE_URL`, `${gateway}/providers/${provider}`]);
  return withMissing(container.env ?? [], { ...families, ...Object.fromEntries(own) });
}

function variable(provider: string): string {
  return provider.toUpperCase().replaceAll('-', '_');
}

function withMissing(env: Variable[], wanted: Record<string, string>): Variable[] {
  const missing = Object.entries(wanted).filter(([name]) => !env.some((each) => each.name === name));
  return [...env, ...missing.map(([name, value]) => ({ name, value }))];
}
