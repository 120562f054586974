// Where the libraries of the clouds find credentials, each way in a process of its own: they read the environment.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { issue, makeAuthority } from '../../src/kubernetes/authority.ts';

const directory = mkdtempSync(join(tmpdir(), 'weir-chains-'));
const sources = new URL('../../src/identity/cloud/sources.ts', import.meta.url).href;
const asked: string[] = [];
const end = new Date(Date.now() + 3_600_000).toISOString();
const role = {
  AccessKeyId: 'ASIA',
  SecretAccessKey: 's',
  Token: 'metadata',
  Expiration: end,
  Code: 'Success',
};

/** STS, and the metadata servers of containers and instances at AWS and of machines at Google. */
const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const { method = '', url = '' } = request;
    const action = /Action=(\w+)/.exec(Buffer.concat(chunks).toString())?.[1] ?? '';
    asked.push(`${method} ${url} ${action}`.trim());
    response.setHeader('metadata-flavor', 'Google');
    response.setHeader('x-aws-ec2-metadata-token-ttl-seconds', '60');
    const json = (value: object) =>
      response.setHeader('content-type', 'application/json').end(JSON.stringify(value));
    if (action !== '')
      response.setHeader('content-type', 'text/xml').end(
        `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${action}Result><Credentials>
         <AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>${action}</SessionToken>
         <Expiration>${end}</Expiration></Credentials></${action}Result></${action}Response>`,
      );
    else if (url === '/container') json(role);
    else if (url === '/latest/api/token') response.end('session of the metadata server');
    else if (url === '/latest/meta-data/iam/security-credentials/') response.end('weir-role');
    else if (url === '/latest/meta-data/iam/security-credentials/weir-role') json(role);
    else if (/\/token/.test(url)) json({ access_token: 'google', token_type: 'Bearer', expires_in: 3_600 });
    else response.end('ok');
  });
});
let url = '';
before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
  rmSync(directory, { recursive: true });
});

/** Entra ID, which is asked at its own name alone: whoever has a proxy is led here. */
async function startEntra() {
  const host = 'login.microsoftonline.com';
  const authority = await makeAuthority('entra', [host], Date.now());
  const forms: URLSearchParams[] = [];
  const entra = createTlsServer(await issue(authority, [host], Date.now(), 1), (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      asked.push(`${request.method} ${request.url}`);
      const form = new URLSearchParams(Buffer.concat(chunks).toString());
      forms.push(form);
      const isRight = form.get('client_assertion') === 'federated' || form.get('client_secret') === 'secret';
      response.writeHead(isRight ? 200 : 400, { 'content-type': 'application/json' });
      const refused = {
        error: 'invalid_client',
        error_description: 'AADSTS700211: No matching federated identity',
      };
      response.end(
        JSON.stringify(
          isRight ? { access_token: 'entra', token_type: 'Bearer', expires_in: 3_600 } : refused,
        ),
      );
    });
  });
  await new Promise<void>((resolve) => entra.listen(0, '127.0.0.1', resolve));
  server.on('connect', (request, socket) => {
    if (request.url !== `${host}:443`) return socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    const there = connect((entra.address() as AddressInfo).port, '127.0.0.1');
    for (const each of [there, socket]) each.on('error', () => {});
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    socket.pipe(there).pipe(socket);
  });
  const env = {
    HTTPS_PROXY: url,
    NODE_EXTRA_CA_CERTS: file('entra.pem', authority.cert),
    AZURE_TENANT_ID: 'tenant',
    AZURE_CLIENT_ID: 'client',
  };
  return { env, forms, stop: () => entra.close() };
}

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

/** What the source gives in this environment, and nothing else of this process's. */
async function lease(
  source: 'awsSource' | 'googleSource' | 'azureSource',
  env: Record<string, string>,
  profile?: string,
) {
  asked.length = 0;
  const program = `import { ${source} } from ${JSON.stringify(sources)};
    console.log(JSON.stringify(await (await ${source}(${JSON.stringify(profile)}))()));`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', program],
    {
      timeout: 60_000,
      env: {
        PATH: process.env.PATH,
        HOME: directory,
        AWS_REGION: 'eu-central-1',
        AWS_CONFIG_FILE: '/dev/null',
        AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
        AWS_ENDPOINT_URL_STS: `${url}/sts`,
        AWS_EC2_METADATA_DISABLED: 'true',
        ...env,
      },
    },
  );
  return JSON.parse(stdout);
}

const keys = '[house]\naws_access_key_id = AKIAHOUSE\naws_secret_access_key = s\n';

test('AWS: the environment', async () => {
  const { value, expiresAt } = await lease('awsSource', {
    AWS_ACCESS_KEY_ID: 'AKIAENV',
    AWS_SECRET_ACCESS_KEY: 's',
  });
  assert.deepEqual([value.accessKeyId, expiresAt, asked], ['AKIAENV', null, []]);
});

test('AWS: a profile of the config, or of the environment', async () => {
  const env = { AWS_SHARED_CREDENTIALS_FILE: file('credentials', keys) };
  assert.equal((await lease('awsSource', env, 'house')).value.accessKeyId, 'AKIAHOUSE');
  assert.equal((await lease('awsSource', { ...env, AWS_PROFILE: 'house' })).value.accessKeyId, 'AKIAHOUSE');
});

test('AWS: a profile that takes on a role with the keys of another', async () => {
  const config = '[profile work]\nrole_arn = arn:aws:iam::1:role/weir\nsource_profile = house\n';
  const env = {
    AWS_SHARED_CREDENTIALS_FILE: file('credentials', keys),
    AWS_CONFIG_FILE: file('config', config),
  };
  const { value, expiresAt } = await lease('awsSource', env, 'work');
  assert.deepEqual([value.sessionToken, expiresAt], ['AssumeRole', Date.parse(end)]);
});

test('AWS: the token of a service account (IRSA)', async () => {
  const env = {
    AWS_ROLE_ARN: 'arn:aws:iam::1:role/weir',
    AWS_WEB_IDENTITY_TOKEN_FILE: file('token', 'token'),
  };
  assert.equal((await lease('awsSource', env)).value.sessionToken, 'AssumeRoleWithWebIdentity');
});

test('AWS: containers, Pod Identity of EKS among them', async () => {
  const env = { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/container` };
  assert.equal((await lease('awsSource', env)).value.sessionToken, 'metadata');
  assert.deepEqual(asked, ['GET /container']);
});

test('AWS: the metadata of an instance, asked with a session', async () => {
  const env = { AWS_EC2_METADATA_DISABLED: 'false', AWS_EC2_METADATA_SERVICE_ENDPOINT: url };
  assert.equal((await lease('awsSource', env)).value.sessionToken, 'metadata');
  assert.equal(asked[0], 'PUT /latest/api/token');
});

test('Google: the metadata server, which workload identity of GKE asks as well', async () => {
  const { value, expiresAt } = await lease('googleSource', { GCE_METADATA_HOST: new URL(url).host });
  assert.equal(value, 'google');
  assert(expiresAt > Date.now());
  assert(
    asked.some((each) => /service-accounts\/default\/token/.test(each)),
    asked.join(),
  );
});

test('Azure: the federated token of a workload, a secret of the environment, and what Entra ID refuses', async (t) => {
  const { env, forms, stop } = await startEntra();
  t.after(stop);
  const workload = { ...env, AZURE_FEDERATED_TOKEN_FILE: file('federated', 'federated') };
  const { value, expiresAt } = await lease('azureSource', workload);
  assert.equal(value, 'entra');
  assert(expiresAt > Date.now());
  assert.equal(asked.length, 1);
  assert.match(asked[0] ?? '', /^POST \/tenant\/oauth2\/v2\.0\/token\b/);
  const form = forms.at(-1) ?? assert.fail();
  assert.deepEqual(
    ['client_id', 'grant_type', 'client_assertion_type'].map((name) => form.get(name)),
    ['client', 'client_credentials', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'],
  );
  assert.match(form.get('scope') ?? '', /^https:\/\/cognitiveservices\.azure\.com\/\.default/);

  assert.equal((await lease('azureSource', { ...env, AZURE_CLIENT_SECRET: 'secret' })).value, 'entra');
  const stranger = { ...env, AZURE_FEDERATED_TOKEN_FILE: file('stranger', 'of another') };
  await assert.rejects(lease('azureSource', stranger), /AADSTS700211/);
});
