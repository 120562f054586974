import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { createKeyring, sealKeysOf } from '../../src/config/keyring.ts';

const key = (id: string, fill: number) => ({ id, key: Buffer.alloc(32, fill) });
const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));

test('what was sealed is opened in its place alone, and only as it was', () => {
  const ring = createKeyring([key('a', 1)]);
  fc.assert(
    fc.property(bytes, fc.string(), fc.nat(), (secret, context, at) => {
      const sealed = ring.seal(secret, context);
      assert.deepEqual(ring.open(sealed, context), secret);
      assert.equal(ring.open(sealed, `${context}x`), null);
      const changed = Buffer.from(sealed);
      changed[at % sealed.length] = (changed[at % sealed.length] ?? 0) ^ 1;
      assert.equal(ring.open(changed, context), null);
      assert.equal(ring.open(sealed.subarray(0, at % sealed.length), context), null);
    }),
  );
});

test('no nonce is used twice', () => {
  const ring = createKeyring([key('a', 1)]);
  const nonces = Array.from({ length: 1_000 }, () => ring.seal(Buffer.alloc(0), '').toString('hex', 3, 15));
  assert.equal(new Set(nonces).size, nonces.length);
});

test('keys rotate: the new one seals, the old one still opens, and a key that is gone does not', () => {
  const sealed = createKeyring([key('old', 1)]).seal(Buffer.from('secret'), 'here');
  const both = createKeyring([key('new', 2), key('old', 1)]);
  assert.equal(both.open(sealed, 'here')?.toString(), 'secret');
  const again = both.seal(Buffer.from('secret'), 'here');
  assert.equal(
    createKeyring([key('new', 2)])
      .open(again, 'here')
      ?.toString(),
    'secret',
  );
  assert.equal(createKeyring([key('new', 2)]).open(sealed, 'here'), null);
});

test('a machine makes its key once, for its owner alone; the config’s own go before it', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'weir-keyring-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const sealKeys = join(directory, 'seal.json');
  const made = sealKeysOf({ encryption: { keys: [] } }, { sealKeys });
  assert.deepEqual(sealKeysOf({ encryption: { keys: [] } }, { sealKeys }), made);
  assert.equal(statSync(sealKeys).mode & 0o777, 0o600);
  const given = { id: 'given', key: Buffer.alloc(32, 7).toString('base64') };
  assert.deepEqual(sealKeysOf({ encryption: { keys: [given] } }, { sealKeys }), [key('given', 7)]);
});
