import type { Keyring } from '../config/keyring.ts';
import type { PolicyWorld } from '../config/policy/check.ts';
import type { Pool } from '../db/pool.ts';
import type { MakeChange } from './changes.ts';
import type { PolicyDefaults } from './store/policies.ts';

/** What the routes of the control plane work with. */
export interface ControlServices {
  pool: Pool;
  change: MakeChange;
  keyring: Keyring;
  defaults: PolicyDefaults;
  world(organization: string): Promise<PolicyWorld>;
  /** Epoch milliseconds. */
  now(): number;
}
