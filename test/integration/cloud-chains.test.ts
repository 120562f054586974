// Where the libraries of the clouds find credentials, each way in a process of its own: they read the environment.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

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

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

/** What the source gives in this environment, and nothing else of this process's. */
async function lease(source: 'awsSource' | 'googleSource', env: Record<string, string>, profile?: string) {
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
