import { randomBytes } from 'node:crypto';

/** A new id, such as `usr_…`: 80 random bits behind what it is of. */
export function makeId(kind: 'usr' | 'pk' | 'bnd'): string {
  return `${kind}_${randomBytes(10).toString('hex')}`;
}
