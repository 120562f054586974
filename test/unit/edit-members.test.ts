import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { editMembers } from '../../src/dialects/openai/edit-members.ts';

test('a member is changed and every other byte stays', () => {
  const body = Buffer.from('{ "messages" : [{"model":"x\\"model\\": 1"}],\n "model" : "gpt-4" , "n":1}');
  const edited = editMembers(body, { model: '"gpt-3.5-turbo"' }).toString();
  assert.equal(edited, '{ "messages" : [{"model":"x\\"model\\": 1"}],\n "model" : "gpt-3.5-turbo" , "n":1}');
});

test('members are put in and taken out', () => {
  assert.equal(editMembers(Buffer.from('{"a":1}'), { model: '"m"' }).toString(), '{"model":"m","a":1}');
  assert.equal(editMembers(Buffer.from('{}'), { model: '"m"' }).toString(), '{"model":"m"}');
  assert.equal(
    editMembers(Buffer.from('{"x": [1, 2], "b":2}'), { x: null, model: '"m"' }).toString(),
    '{"model":"m","b":2}',
  );
});

test('a member may have any name', () => {
  const body = Buffer.from('{"valueOf":{},"constructor":1}');
  assert.equal(editMembers(body, { model: '"m"' }).toString(), '{"model":"m","valueOf":{},"constructor":1}');
});

test('of any object the edited one is what it should be', () => {
  const key = fc.oneof(fc.constantFrom('model', 'providers', 'a'), fc.string());
  fc.assert(
    fc.property(
      fc.dictionary(key, fc.jsonValue()).filter((each) => !('__proto__' in each)),
      fc.constantFrom(undefined, 1, '\t'),
      (object, indent) => {
        const body = Buffer.from(JSON.stringify(object, null, indent));
        const { providers: _, ...rest } = object;
        const edited: unknown = JSON.parse(editMembers(body, { model: '"m"', providers: null }).toString());
        assert.deepEqual({ ...(edited as object) }, JSON.parse(JSON.stringify({ ...rest, model: 'm' })));
      },
    ),
  );
});
