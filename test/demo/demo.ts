// `npm run demo`: an application that uses OpenAI's SDK, unchanged, calls a mock provider through weir.
// At the end the ledger tells what was saved.
import OpenAI from 'openai';
import { startProvider } from '../fixtures/provider.ts';
import { startWeir } from '../fixtures/weir.ts';

const provider = await startProvider({ key: 'sk-of-the-house' });
console.log('starting weir …');
const weir = await startWeir({
  config: { providers: { openai: { base_url: `${provider.url}/v1`, api_key: 'sk-of-the-house' } } },
});
const openai = new OpenAI({ baseURL: `${weir.egress}/v1`, apiKey: weir.callKey });

const questions = [
  'Where is Zürich?',
  'What is a weir?',
  'Where is Zürich?',
  'How tall is the Eiger?',
  'What is a weir?',
];
for (const model of ['gpt-4o', 'gpt-4o-mini']) {
  for (const content of questions) {
    const { data, response } = await openai.chat.completions
      .create({ model, messages: [{ role: 'user', content }] })
      .withResponse();
    const told = ['x-weir-cache', 'x-weir-cost-usd', 'x-weir-saved-usd'].flatMap(
      (name) => response.headers.get(name) ?? [],
    );
    console.log(
      `${model.padEnd(12)} ${content.padEnd(24)} ${told.join('  ').padEnd(24)} ${data.choices[0]?.message.content?.slice(0, 40)}`,
    );
  }
  for (let i = 0; i < 2; i++) {
    const stream = await openai.chat.completions.create({
      model,
      messages: [{ role: 'user', content: 'Tell me more.' }],
      stream: true,
    });
    process.stdout.write(`${model.padEnd(12)} streamed: `);
    for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? '');
    process.stdout.write('\n');
  }
}

await weir.exchanges(2 * (questions.length + 2));
const { rows } = await weir.get('/analytics/breakdown?group_by=model');
console.log(`\nthe provider was asked ${provider.requests.length} times; what the ledger tells:`);
console.table(
  rows.map(
    (row: {
      group: { model: string };
      calls: number;
      hits: number;
      cost_usd: string;
      saved_usd: string;
    }) => ({
      model: row.group.model,
      calls: row.calls,
      hits: row.hits,
      'cost USD': row.cost_usd,
      'saved USD': row.saved_usd,
    }),
  ),
);
await weir.stop();
await provider.stop();
