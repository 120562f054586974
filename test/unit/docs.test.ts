import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { z } from 'zod';
import { elements, members, type Schema, values } from '../../src/config/introspect.ts';
import { configSchema } from '../../src/config/schema.ts';
import { answerHeaders } from '../../src/dialects/answer-key.ts';
import type { Dialect } from '../../src/dialects/dialect.ts';
import { dialects } from '../../src/dialects/registry.ts';
import { cannot } from '../../src/translate/cannot.ts';
import { refusedWith } from '../../src/translate/judge.ts';
import { holdDocs } from '../fixtures/translation-docs.ts';

const file = new URL('../../docs/configuration.md', import.meta.url);
const begin = '<!-- keys: written by `npm run docs` -->';

/** What weir.yaml may hold, a row a key. */
function rows(schema: Schema, path: string, fallback: unknown, around = ''): string[] {
  const shape = members(schema);
  if (shape) {
    return Object.entries(shape).flatMap(([name, member]) =>
      rows(member, path === '' ? name : `${path}.${name}`, fallbackOf(member)),
    );
  }
  const each = values(schema);
  if (each) return rows(each, `${path}.<name>`, undefined, descriptionOf(schema));
  const element = elements(schema);
  const own = `| \`${path}\` | ${show(fallback)} | ${descriptionOf(schema) || around} |`;
  return element && members(element) ? [own, ...rows(element, `${path}[]`, undefined)] : [own];
}

function descriptionOf(schema: Schema): string {
  const { innerType, in: input } = schema._zod.def as { innerType?: Schema; in?: Schema };
  const own = z.globalRegistry.get(schema)?.description;
  const below = innerType ?? input;
  return own ?? (below ? descriptionOf(below) : '');
}

function fallbackOf(schema: Schema): unknown {
  return Reflect.get(schema._zod.def, 'defaultValue');
}

function show(value: unknown): string {
  return value === undefined
    ? ''
    : `\`${typeof value === 'string' ? value || "''" : JSON.stringify(value)}\``;
}

/** Rows that say the same of several dialects, as one. */
function byDialect(rows: (dialect: Dialect) => string[][]): string[] {
  const names = new Map<string, string[]>();
  for (const dialect of dialects.filter(({ later }) => !later)) {
    for (const row of rows(dialect)) {
      const key = row.join(' | ');
      names.set(key, [...(names.get(key) ?? []), dialect.name]);
    }
  }
  return [...names].map(([row, dialects]) => `| ${row} | ${dialects.join(', ')} |`);
}

test('docs/cache-key.md tells what counts, and what is never kept', () => {
  const page = new URL('../../docs/cache-key.md', import.meta.url);
  const mark = '<!-- tables: written by `npm run docs` -->';
  const tables = [
    '## Members of the body that do not count',
    '',
    '| member | why | dialects |',
    '|---|---|---|',
    ...byDialect(({ reuse }) => [...reuse.uncounted].map(([name, why]) => [`\`${name}\``, why])),
    '',
    '## Headers that count',
    '',
    '| header | why |',
    '|---|---|',
    ...[...answerHeaders].map(([name, why]) => `| \`${name}\` | ${why} |`),
    '',
    '## Requests whose answers are never kept',
    '',
    '| request | why | dialects |',
    '|---|---|---|',
    ...byDialect(({ reuse }) => reuse.never.map(({ what, why }) => [what, why])),
  ];
  const [prose = ''] = readFileSync(page, 'utf8').split(mark);
  const expected = `${prose}${mark}\n\n${tables.join('\n')}\n`;
  if (process.env.WEIR_TEST_WRITE_DOCS) writeFileSync(page, expected);
  assert.equal(readFileSync(page, 'utf8'), expected);
});

test('docs/configuration.md tells each key of the schema', () => {
  const table = ['| key | default | meaning |', '|---|---|---|', ...rows(configSchema, '', undefined)];
  const [prose = ''] = readFileSync(file, 'utf8').split(begin);
  const expected = `${prose}${begin}\n\n${table.join('\n')}\n`;
  // `npm run docs` brings the page up to date.
  if (process.env.WEIR_TEST_WRITE_DOCS) writeFileSync(file, expected);
  assert.equal(readFileSync(file, 'utf8'), expected);
  assert.deepEqual(
    table.filter((row) => row.endsWith('|  |')),
    [],
    'each key is described',
  );
});

test('docs/translation.md tells what cannot be carried, out of the table that refuses it', () => {
  const cell = (text: string) => text.replaceAll('|', '\\|');
  const rows = cannot.map((row) => {
    const says = Object.entries(row.says).map(
      ([name, all]) => `${name}: ${all.map((each) => `\`${each}\``).join(', ')}`,
    );
    const way = row.hint ? `\`${row.id}\`` : '';
    return `| ${cell(row.what)} | ${cell(says.join('; '))} | ${refusedWith(row).join(', ')} | ${cell(row.why)} | ${way} |`;
  });
  holdDocs('what cannot be carried', [
    '| what | how it is said | refused for | because | may be left out as |',
    '|---|---|---|---|---|',
    ...rows,
  ]);
});
