import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readTags } from '../../src/exchange/tags.ts';

test('tags are read as they are written, and what is none is left out', () => {
  assert.deepEqual(readTags('team=search, env=prod'), { team: 'search', env: 'prod' });
  assert.deepEqual(readTags('a=1,a=2,b=x%2Cy%3D,c=50%'), { a: '2', b: 'x,y=', c: '50%' });
  assert.deepEqual(readTags('nothing,=1,bad name=1,ok='), { ok: '' });
  assert.deepEqual(readTags(undefined), {});
});

test('any value comes through when it is encoded, and any header is read', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200, unit: 'grapheme' }), (value) => {
      const read = readTags(`t=${encodeURIComponent(value)}`).t;
      assert.equal(read, value.slice(0, 256));
    }),
  );
  fc.assert(fc.property(fc.string(), (header) => Object.keys(readTags(header)).length <= 32));
});
