// `npm run train:routing`: writes src/routing/scorer.json from the labelled prompts. The same prompts give the same file.
import { writeFileSync } from 'node:fs';
import { labelled } from './data.ts';
import { exampleOf, fit, toFile } from './train.ts';

const file = new URL('../../src/routing/scorer.json', import.meta.url);
const examples = [...labelled('mmlu'), ...labelled('gsm8k')].map(exampleOf);
const text = JSON.stringify(toFile(fit(examples)));
writeFileSync(file, `${text}\n`);
console.log(`${file.pathname}: ${text.length} bytes from ${examples.length} prompts`);
