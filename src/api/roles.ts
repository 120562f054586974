/** What people may do in their organization, the least first; each may what those before it may. */
export const roles = ['viewer', 'member', 'admin'] as const;
export type Role = (typeof roles)[number];

export function isAtLeast(role: Role, needed: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(needed);
}

export function lesser(a: Role, b: Role): Role {
  return isAtLeast(a, b) ? b : a;
}
