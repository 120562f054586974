import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

test('the lock file holds the packages of every platform', () => {
  // `npm ci` refuses a lock that lacks one, also where the platform is another.
  const file = readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8');
  const { packages } = JSON.parse(file) as {
    packages: Record<string, { version?: string; resolved?: string; optionalDependencies?: object }>;
  };
  const missing = Object.values(packages)
    .flatMap(({ optionalDependencies }) => Object.keys(optionalDependencies ?? {}))
    .filter((name) => !Object.keys(packages).some((path) => path.endsWith(`node_modules/${name}`)));
  assert.deepEqual(missing, []);
  const elsewhere = Object.entries(packages).filter(([, { resolved }]) => resolved !== undefined);
  assert.deepEqual(elsewhere, [], 'no registry is named: each machine has its own');
});
