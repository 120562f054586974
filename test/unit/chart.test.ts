import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { gatewayBootstrap, gatewayFile, schemaFile, valuesSchema } from '../fixtures/chart.ts';

for (const { name, file, made } of [
  { name: 'values.schema.json', file: schemaFile, made: valuesSchema },
  { name: 'files/gateway.json', file: gatewayFile, made: gatewayBootstrap },
]) {
  test(`helm/weir/${name} is what the program says`, () => {
    const expected = `${JSON.stringify(made(), null, 2)}\n`;
    // `npm run docs` brings it up to date.
    if (process.env.WEIR_TEST_WRITE_DOCS) writeFileSync(file, expected);
    assert.equal(readFileSync(file, 'utf8'), expected);
  });
}
