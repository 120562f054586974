import { existsSync, readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import type { Keyring } from '../config/keyring.ts';
import { type IdentityFacts, identityFacts } from './facts.ts';

const context = 'identity';
let written = 0;

/** What was kept last; null: nothing, or nothing that can be read with these keys and by this release. */
export function readKept(file: string, keyring: Keyring): IdentityFacts | null {
  if (!existsSync(file)) return null;
  const clear = keyring.open(readFileSync(file), context);
  if (!clear) return null;
  return identityFacts.safeParse(JSON.parse(clear.toString('utf8'))).data ?? null;
}

/** Keeps facts for the next start; processors of one machine share the file. */
export async function writeKept(file: string, keyring: Keyring, facts: IdentityFacts): Promise<void> {
  const temporary = `${file}.${process.pid}-${++written}`;
  await writeFile(temporary, keyring.seal(Buffer.from(JSON.stringify(facts)), context), { mode: 0o600 });
  await rename(temporary, file);
}
