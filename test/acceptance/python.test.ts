import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startProvider } from '../fixtures/provider.ts';
import { pythonWithSdks, runPython } from '../fixtures/python.ts';
import { startWeir } from '../fixtures/weir.ts';

const program = `
import json, openai
client = openai.OpenAI(max_retries=0)
messages = [{"role": "user", "content": "Where is Zürich?"}]
# A kept plain answer would come as a stream of other pieces.
others = [{"role": "user", "content": "And where is Zürich?"}]
tool = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}}
said = {}
said["plain"] = client.chat.completions.create(model="gpt-4o", messages=messages).choices[0].message.content
said["streamed"] = [c.choices[0].delta.content for c in client.chat.completions.create(model="gpt-4o", messages=others, stream=True)]
said["tools"] = client.chat.completions.create(model="gpt-4o", messages=messages, tools=[tool]).choices[0].message.tool_calls[0].function.arguments
said["models"] = [m.id for m in client.models.list()]
try:
    client.chat.completions.create(model="gpt-none", messages=messages)
except openai.NotFoundError as error:
    said["error"] = [error.status_code, error.code, error.body]
print(json.dumps(said))
`;

test('an application in Python gets the same with weir as without, and is not changed', async (t) => {
  const python = await pythonWithSdks().catch((error: unknown) => {
    if (process.env.CI) throw error;
    t.skip(`no Python with the openai package can be made here: ${error}`);
  });
  if (!python) return;
  const provider = await startProvider({ key: 'sk-of-the-house' });
  const weir = await startWeir({
    config: { providers: { openai: { base_url: `${provider.url}/v1`, api_key: 'sk-of-the-house' } } },
  });
  t.after(async () => {
    await weir.stop();
    await provider.stop();
  });
  const direct = await runPython(python, program, {
    OPENAI_BASE_URL: `${provider.url}/v1`,
    OPENAI_API_KEY: 'sk-of-the-house',
  });
  const through = await runPython(python, program, {
    OPENAI_BASE_URL: `${weir.egress}/v1`,
    OPENAI_API_KEY: weir.callKey,
  });
  assert.deepEqual(through, direct);
  assert.equal((await weir.exchanges(5)).length, 5);
});
