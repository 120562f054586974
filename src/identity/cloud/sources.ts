import type { AwsCredentialIdentity } from '@smithy/types';
import type { Lease } from './keeper.ts';

/** Whom a credential is for. */
const scopes = {
  google: 'https://www.googleapis.com/auth/cloud-platform',
  azure: 'https://cognitiveservices.azure.com/.default',
};
/** The libraries ask anew for what ends within this time: longer than the keeper waits. */
const eagerMs = 5 * 60_000;

/**
 * The default chain of AWS: environment, SSO, web identity (IRSA), shared files, containers, instance metadata.
 * Loaded when it is needed, as the others are: together they are some megabytes.
 */
export async function awsSource(
  profile: string | undefined,
): Promise<() => Promise<Lease<AwsCredentialIdentity>>> {
  const { defaultProvider } = await import('@aws-sdk/credential-provider-node');
  const provide = defaultProvider({
    ...(profile !== undefined && { profile }),
    maxRetries: 2,
    timeout: 2_000,
  });
  return async () => {
    const value = await provide({ forceRefresh: true });
    return { value, expiresAt: value.expiration?.getTime() ?? null };
  };
}

/** Application Default Credentials: a file, workload identity federation, gcloud's own, the metadata server. */
export async function googleSource(): Promise<() => Promise<Lease<string>>> {
  const { GoogleAuth } = await import('google-auth-library');
  const auth = new GoogleAuth({
    scopes: scopes.google,
    // The base URL names the project: without this it is looked up, and no token comes when that fails.
    projectId: 'none',
    clientOptions: { eagerRefreshThresholdMillis: eagerMs },
  });
  return async () => {
    const client = await auth.getClient();
    const { token } = await client.getAccessToken();
    if (!token) throw new Error('Google gave no access token');
    return { value: token, expiresAt: client.credentials.expiry_date ?? null };
  };
}

/** Entra ID by the default chain of Azure: environment, workload identity, managed identity, the command line. */
export async function azureSource(): Promise<() => Promise<Lease<string>>> {
  const { DefaultAzureCredential } = await import('@azure/identity');
  const credential = new DefaultAzureCredential();
  return async () => {
    const { token, expiresOnTimestamp } = await credential.getToken(scopes.azure);
    return { value: token, expiresAt: expiresOnTimestamp };
  };
}
