import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Authenticate, Principal } from './auth.ts';
import { Problem } from './problem.ts';
import { isAtLeast, type Role } from './roles.ts';

/** `anyone`: no key is asked for. */
export type Access = Role | 'anyone';

/** Who may use which route: the least role. A route that is not here cannot be registered. */
export const access: Readonly<Record<string, Access>> = {
  'GET /healthz': 'anyone',
  'GET /readyz': 'anyone',
  'GET /openapi.json': 'anyone',

  'GET /analytics/summary': 'viewer',
  'GET /analytics/breakdown': 'viewer',
  'GET /analytics/breakdown.csv': 'viewer',
  'GET /analytics/focus.csv': 'viewer',
  'GET /analytics/exchanges': 'viewer',
  'GET /analytics/routing': 'viewer',
  'GET /analytics/recommendations': 'viewer',
  'GET /analytics/traces/:id': 'viewer',

  'GET /dead-letters': 'admin',
  'POST /dead-letters/:id/retry': 'admin',
  'GET /analytics/exchanges/:id': 'viewer',

  'GET /alerts': 'viewer',
  'GET /alerts/:id': 'viewer',
  'POST /alerts': 'admin',
  'PATCH /alerts/:id': 'admin',
  'DELETE /alerts/:id': 'admin',
  'POST /alerts/:id/test': 'admin',
  'POST /alerts/:id/secret': 'admin',
  'GET /alerts/deliveries': 'viewer',
  'POST /alerts/deliveries/:id/retry': 'admin',

  'GET /budgets': 'viewer',

  'GET /coverage': 'viewer',

  'POST /route/explain': 'viewer',

  'GET /organization': 'viewer',
  'PATCH /organization': 'admin',

  'GET /users': 'viewer',
  'GET /users/:id': 'viewer',
  'POST /users': 'admin',
  'PATCH /users/:id': 'admin',
  'DELETE /users/:id': 'admin',

  // Members make, change and revoke their own keys only: src/api/store/keys.ts.
  'GET /keys': 'viewer',
  'GET /keys/:id': 'viewer',
  'POST /keys': 'member',
  'PATCH /keys/:id': 'member',
  'DELETE /keys/:id': 'member',

  'GET /provider-keys': 'viewer',
  'GET /provider-keys/:id': 'viewer',
  'POST /provider-keys': 'admin',
  'DELETE /provider-keys/:id': 'admin',

  'GET /policy': 'viewer',
  'PUT /policy': 'admin',
  'PATCH /policy': 'admin',
  'GET /policy/versions': 'viewer',
  'GET /policy/versions/:version': 'viewer',
  'POST /policy/versions/:version/restore': 'admin',

  'GET /bindings': 'viewer',
  'GET /bindings/:id': 'viewer',
  'POST /bindings': 'admin',
  'PATCH /bindings/:id': 'admin',
  'DELETE /bindings/:id': 'admin',

  'GET /activity': 'viewer',

  'GET /cache': 'viewer',
  'GET /cache/:key': 'viewer',
  'DELETE /cache/:key': 'admin',
  'DELETE /cache': 'admin',
};

/** A route as the table names it. HEAD is GET without a body. */
export function ruleName(method: string, url: string): string {
  return `${method === 'HEAD' ? 'GET' : method} ${url}`;
}

/**
 * Holds all routes that are registered after it to a table. Registering one that is not in the table
 * throws; a request is answered only when the key behind it has the role.
 */
export function guard(
  api: FastifyInstance,
  table: Readonly<Record<string, Access>>,
  authenticate: Authenticate,
): void {
  api.decorateRequest('principal', null);
  api.addHook('onRoute', ({ method, url }) => {
    for (const each of [method].flat()) {
      if (!Object.hasOwn(table, ruleName(each, url)))
        throw new Error(`${each} ${url} is not in the table of src/api/access.ts: who may use it?`);
    }
  });
  api.addHook('onRequest', async (request) => {
    if (request.is404) return;
    const { method, url = '' } = request.routeOptions;
    const name = ruleName([method].flat()[0] ?? '', url);
    const needed = Object.hasOwn(table, name) ? table[name] : undefined;
    if (needed === 'anyone') return;
    const principal = await authenticate(request);
    if (needed === undefined || !isAtLeast(principal.role, needed)) {
      throw new Problem(
        403,
        'role_not_allowed',
        `${name} takes the role ${needed}; this key has the role ${principal.role}`,
      );
    }
    request.setDecorator('principal', principal);
  });
}

/** Who asks, in a route that does not let anyone in. */
export function principalOf(request: FastifyRequest): Principal {
  const principal = request.getDecorator<Principal | null>('principal');
  if (!principal) throw new Error(`${request.method} ${request.url} has no principal`);
  return principal;
}
