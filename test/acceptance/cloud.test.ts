import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { type Clouds, startClouds } from '../fixtures/clouds.ts';
import { startWeir, type TestWeir } from '../fixtures/weir.ts';

let clouds: Clouds;
let weir: TestWeir;
const directory = mkdtempSync(join(tmpdir(), 'weir-cloud-'));
before(async () => {
  clouds = await startClouds();
  const token = join(directory, 'token');
  writeFileSync(token, 'a token of the service account');
  const keys = join(directory, 'credentials');
  writeFileSync(keys, '[house]\naws_access_key_id = AKIAHOUSE\naws_secret_access_key = s\n');
  const profiles = join(directory, 'config');
  writeFileSync(profiles, '[profile work]\nrole_arn = arn:aws:iam::1:role/work\nsource_profile = house\n');
  const google = join(directory, 'google.json');
  writeFileSync(
    google,
    JSON.stringify({
      type: 'external_account',
      audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/p',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: `${clouds.url}/google/token`,
      credential_source: { file: token },
    }),
  );
  weir = await startWeir({
    config: {
      providers: {
        bedrock: { api: 'bedrock', base_url: clouds.url, auth: 'aws', region: 'eu-central-1' },
        'bedrock-role': {
          api: 'bedrock',
          base_url: clouds.url,
          auth: 'aws',
          profile: 'work',
          region: 'eu-north-1',
        },
        'bedrock-chat': {
          api: 'openai',
          base_url: `${clouds.url}/openai/v1`,
          auth: 'aws',
          region: 'us-west-2',
        },
        vertex: {
          api: 'gemini',
          base_url: `${clouds.url}/v1/projects/p/locations/l/publishers/google`,
          auth: 'google',
        },
        'claude-bedrock': { api: 'anthropic', base_url: clouds.url, auth: 'aws', region: 'eu-west-1' },
        'claude-vertex': {
          api: 'anthropic',
          base_url: `${clouds.url}/v1/projects/p/locations/l/publishers/anthropic`,
          auth: 'google',
        },
        nobody: { api: 'openai', base_url: 'http://127.0.0.1:1/v1', api_key: 'k' },
        azure: { api: 'openai', base_url: `${clouds.url}/openai/v1`, auth: 'azure' },
      },
      models: {
        'claude-b': { provider: 'claude-bedrock', model: 'eu.anthropic.claude-sonnet-4-5-v1:0' },
        nova: { provider: 'bedrock', model: 'eu.amazon.nova-2-lite-v1:0' },
        'nova-of-a-role': { provider: 'bedrock-role', model: 'eu.amazon.nova-2-lite-v1:0' },
        'or-nova': {
          provider: 'nobody',
          fallback: [{ provider: 'bedrock', model: 'eu.amazon.nova-2-lite-v1:0' }],
        },
        'claude-v': { provider: 'claude-vertex', model: 'claude-sonnet-4-5@20250929' },
        'claude-on-bedrock': { provider: 'bedrock-chat', model: 'anthropic.claude-sonnet-4-5' },
        'gpt-4o': { provider: 'azure', model: 'my-deployment', fallback: [{ provider: 'bedrock-chat' }] },
      },
      log: { level: 'warn' },
    },
    env: {
      // IRSA: the service account's token for a role.
      AWS_ROLE_ARN: 'arn:aws:iam::1:role/weir',
      AWS_WEB_IDENTITY_TOKEN_FILE: token,
      AWS_ENDPOINT_URL_STS: `${clouds.url}/sts`,
      AWS_REGION: 'eu-central-1',
      AWS_SHARED_CREDENTIALS_FILE: keys,
      AWS_CONFIG_FILE: profiles,
      GOOGLE_APPLICATION_CREDENTIALS: google,
      IDENTITY_ENDPOINT: `${clouds.url}/azure/token`,
      IDENTITY_HEADER: 'secret',
    },
  });
});
after(async () => {
  await weir.stop();
  await clouds.stop();
  rmSync(directory, { recursive: true });
});

async function post(path: string, body: object) {
  const response = await fetch(`${weir.egress}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${weir.callKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, text: await response.text() };
}

const messages = [{ role: 'user', content: 'Is it signed?' }];

test('a call to Bedrock is signed with the credentials of the role', async () => {
  const converse = { messages: [{ role: 'user', content: [{ text: 'Is it signed? Zürich' }] }] };
  const { status, text } = await post(
    '/providers/bedrock/model/anthropic.claude-sonnet-4-5-v1%3A0/converse',
    converse,
  );
  assert.equal(status, 200, text);
  const call = clouds.calls.at(-1);
  assert.match(
    call?.authorization ?? '',
    /^AWS4-HMAC-SHA256 Credential=ASIAMOCK\/\d+\/eu-central-1\/bedrock\//,
  );
  assert.match(call?.sessionToken ?? '', /^session-\d+$/);
  assert(clouds.asked.some((path) => path.startsWith('/sts')));
});

test('Converse is signed with a role that a profile takes on with the keys of another', async () => {
  const openai = new OpenAI({ baseURL: `${weir.egress}/v1`, apiKey: weir.callKey, maxRetries: 0 });
  const asked = { model: 'nova-of-a-role', messages: [{ role: 'user' as const, content: 'Whose role?' }] };
  const { choices } = await openai.chat.completions.create(asked);
  assert.equal(choices[0]?.message.content, 'Zürich lies by a lake 🏞️.');
  const call = clouds.calls.at(-1);
  assert.match(call?.authorization ?? '', /eu-north-1\/bedrock/);
  assert.match(call?.sessionToken ?? '', /^session-\d+$/);
  assert(clouds.asked.includes('/sts/ AssumeRole'), clouds.asked.join());
});

test('what is translated for Bedrock is signed as it is sent', async () => {
  const asked = { model: 'claude-on-bedrock', max_tokens: 10, messages };
  const { status, text } = await post('/v1/messages', asked);
  assert.equal(status, 200, text);
  const call = clouds.calls.at(-1);
  assert.equal(call?.path, '/openai/v1/chat/completions');
  assert.match(call?.authorization ?? '', /us-west-2/);
});

test('Vertex AI gets a token of the workload, at its own path', async () => {
  const contents = [{ role: 'user', parts: [{ text: 'Is it signed?' }] }];
  const { status, text } = await post('/providers/vertex/v1beta/models/gemini-2.5-flash:generateContent', {
    contents,
  });
  assert.equal(status, 200, text);
  const call = clouds.calls.at(-1);
  assert.match(call?.authorization ?? '', /^Bearer google-\d+$/);
  assert.equal(
    call?.path,
    '/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-flash:generateContent',
  );
});

test('Azure OpenAI gets a token of Entra ID, in an attempt as well', async () => {
  const { status, text } = await post('/v1/chat/completions', { model: 'gpt-4o', messages });
  assert.equal(status, 200, text);
  assert.match(clouds.calls.at(-1)?.authorization ?? '', /^Bearer azure-\d+$/);
});

test('Bedrock takes over from a provider that is away, translated and signed for its attempt', async () => {
  const openai = new OpenAI({ baseURL: `${weir.egress}/v1`, apiKey: weir.callKey, maxRetries: 0 });
  const asked = { model: 'or-nova', messages: [{ role: 'user' as const, content: 'Who is there?' }] };
  const { data, response } = await openai.chat.completions.create(asked).withResponse();
  assert.equal(data.choices[0]?.message.content, 'Zürich lies by a lake 🏞️.');
  assert.equal(response.headers.get('x-weir-provider'), 'bedrock');
  let text = '';
  const again = [{ role: 'user' as const, content: 'Who is there, in a stream?' }];
  for await (const chunk of await openai.chat.completions.create({ ...asked, messages: again, stream: true }))
    text += chunk.choices[0]?.delta.content ?? '';
  assert.equal(text, 'Zürich lies by a lake 🏞️.');
  assert.match(clouds.calls.at(-1)?.path ?? '', /converse-stream$/);
});

for (const [model, path, streamPath] of [
  [
    'nova',
    '/model/eu.amazon.nova-2-lite-v1%3A0/converse',
    '/model/eu.amazon.nova-2-lite-v1%3A0/converse-stream',
  ],
  [
    'claude-b',
    '/model/eu.anthropic.claude-sonnet-4-5-v1%3A0/invoke',
    '/model/eu.anthropic.claude-sonnet-4-5-v1%3A0/invoke-with-response-stream',
  ],
  [
    'claude-v',
    '/v1/projects/p/locations/l/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict',
    '/v1/projects/p/locations/l/publishers/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict',
  ],
] as const) {
  test(`a model of a cloud behind Anthropic’s and OpenAI’s SDK: ${model}`, async () => {
    const zurich = 'Zürich lies by a lake 🏞️.';
    const claude = new Anthropic({ baseURL: weir.egress, apiKey: weir.callKey, maxRetries: 0 });
    const openai = new OpenAI({ baseURL: `${weir.egress}/v1`, apiKey: weir.callKey, maxRetries: 0 });
    const asked = { model, max_tokens: 100, messages: [{ role: 'user' as const, content: 'Where?' }] };
    const whole = await claude.messages.create(asked);
    assert.equal(whole.content[0]?.type === 'text' && whole.content[0].text, zurich);
    assert.equal(clouds.calls.at(-1)?.path, path);
    const streamed = await claude.messages.stream({ ...asked, system: 'In a stream.' }).finalMessage();
    assert.equal(streamed.content[0]?.type === 'text' && streamed.content[0].text, zurich);
    assert.equal(clouds.calls.at(-1)?.path, streamPath);
    const chat = await openai.chat.completions.create(asked);
    assert.equal(chat.choices[0]?.message.content, zurich);
    let text = '';
    for await (const chunk of await openai.chat.completions.create({ ...asked, stream: true }))
      text += chunk.choices[0]?.delta.content ?? '';
    assert.equal(text, zurich);
    const { exchanges } = await weir.get('/analytics/exchanges?limit=1');
    assert.notEqual(exchanges[0].usage_source, 'estimated');
  });
}
