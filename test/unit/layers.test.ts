import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const src = fileURLToPath(new URL('../../src/', import.meta.url));

/** Rooms from the top down: a room imports from its own layer and from those below it (ARCHITECTURE.md). */
const layers = [
  ['main.ts'],
  ['roles'],
  ['extproc', 'collector', 'api', 'kubernetes'],
  ['recommendations'],
  ['exchange', 'analytics', 'alerts'],
  ['local', 'proof', 'pod'],
  ['identity', 'limits', 'cache', 'routing', 'usage', 'translate'],
  ['dialects', 'envoy'],
  ['config', 'db', 'redis', 'telemetry'],
];

interface Import {
  file: string;
  from: string;
  to: string;
}

function layerOf(room: string): number {
  return layers.findIndex((rooms) => rooms.includes(room));
}

/** The imports between rooms, `export … from` and dynamic ones included. */
function importsOf(file: string, text: string): Import[] {
  const found = text.matchAll(/(?:from\s+|import\s*\(\s*|import\s+)['"](\.{1,2}\/[^'"]+)['"]/g);
  return [...found].map(([, path = '']) => ({
    file,
    from: file.split('/')[0] ?? '',
    to: join('/', file, '..', path).slice(1).split('/')[0] ?? '',
  }));
}

/** What is wrong with these imports; empty: nothing. */
function wrong(imports: Import[]): string[] {
  const upward = imports
    .filter(({ from, to }) => layerOf(from) < 0 || layerOf(to) < 0 || layerOf(to) < layerOf(from))
    .map(({ file, to }) => `${file} imports from ${to}, which is not below it`);
  const edges = new Map<string, Set<string>>();
  for (const { from, to } of imports) {
    if (from !== to) edges.set(from, (edges.get(from) ?? new Set()).add(to));
  }
  const reaches = (from: string, to: string, seen = new Set<string>()): boolean =>
    [...(edges.get(from) ?? [])].some(
      (next) => next === to || (!seen.has(next) && reaches(next, to, seen.add(next))),
    );
  const cycles = [...edges.keys()]
    .filter((room) => reaches(room, room))
    .map((room) => `${room} imports itself by way of others`);
  return [...upward, ...cycles];
}

const files = globSync('**/*.{ts,mjs}', { cwd: src }).filter((file) => !file.endsWith('.d.mts'));
const texts = files.map((file) => ({ file, text: readFileSync(join(src, file), 'utf8') }));

test('imports point down the layers, and not round in circles', () => {
  assert.deepEqual(wrong(texts.flatMap(({ file, text }) => importsOf(file, text))), []);
});

test('an import that points up, and a circle, would be noticed', () => {
  const up = importsOf('cache/memory.ts', "export { x } from '../exchange/exchange.ts';");
  assert.equal(wrong(up).length, 1);
  const circle = [
    ...importsOf('cache/a.ts', "import type { B } from '../usage/b.ts';"),
    ...importsOf('usage/b.ts', "const a = await import('../cache/a.ts');"),
  ];
  assert.equal(wrong(circle).length, 2);
  assert.equal(wrong(importsOf('attic/a.ts', "import '../cache/b.ts';")).length, 1);
});

test('the environment is read in one place', () => {
  // What runs before anything is installed cannot use that place.
  const readers = texts.filter(
    ({ file, text }) => /process\.env/.test(text) && !/^config\/|^local\/.*\.mjs$/.test(file),
  );
  assert.deepEqual(
    readers.map(({ file }) => file),
    [],
  );
});
