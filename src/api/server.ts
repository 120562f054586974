import fastify, { type FastifyBaseLogger, LogController } from 'fastify';
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Logger } from 'pino';
import type { CacheAdmin } from '../cache/admin.ts';
import type { Keyring } from '../config/keyring.ts';
import { policySchema } from '../config/policy/policy.ts';
import type { Address, Config } from '../config/schema.ts';
import type { Pool } from '../db/pool.ts';
import type { BudgetReport } from '../limits/budgets/report.ts';
import type { Pricer } from '../usage/price.ts';
import { access, guard } from './access.ts';
import { createAuthenticate } from './auth.ts';
import { createChanges } from './changes.ts';
import { describeApi } from './openapi.ts';
import { createWorld } from './policy-world.ts';
import { answerProblem, answerProblems } from './problem.ts';
import { activityRoutes } from './routes/activity.ts';
import { alertRoutes } from './routes/alerts.ts';
import { bindingRoutes } from './routes/bindings.ts';
import { breakdownRoutes } from './routes/breakdown.ts';
import { budgetRoutes } from './routes/budgets.ts';
import { cacheRoutes } from './routes/cache.ts';
import { deadLetterRoutes, type RetryLetter } from './routes/dead-letters.ts';
import { exchangeRoutes } from './routes/exchanges.ts';
import { healthRoutes } from './routes/health.ts';
import { keyRoutes } from './routes/keys.ts';
import { organizationRoutes } from './routes/organization.ts';
import { policyRoutes } from './routes/policy.ts';
import { providerKeyRoutes } from './routes/provider-keys.ts';
import { recommendationRoutes } from './routes/recommendations.ts';
import { type ExplainRoute, routeRoutes } from './routes/route.ts';
import { routingRoutes } from './routes/routing.ts';
import { summaryRoutes } from './routes/summary.ts';
import { traceRoutes } from './routes/traces.ts';
import { userRoutes } from './routes/users.ts';
import type { ControlServices } from './services.ts';

export interface ApiOptions {
  pool: Pool;
  pricer: Pricer;
  cache: CacheAdmin;
  log: Logger;
  version: string;
  now: () => number;
  config: Pick<Config, 'providers' | 'models' | 'api'>;
  /** `defaults` of weir.yaml as written. */
  defaults: unknown;
  keyring: Keyring;
  /** How the budgets of an organization stand. */
  budgets: (organization: string) => Promise<BudgetReport[]>;
  retryLetter: RetryLetter;
  explain: ExplainRoute;
}

/** HTTP for people and programs; described at /openapi.json. */
export async function createApi(options: ApiOptions) {
  const { pool, pricer, cache, log, version, now, config, defaults, keyring } = options;
  const proxies = config.api.trusted_proxies;
  const server = fastify({
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 1024 * 1024,
    requestTimeout: 30_000,
    connectionTimeout: 60_000,
    forceCloseConnections: 'idle',
    // What is too long for an id is told as that, not as a URL that is too long.
    routerOptions: { maxParamLength: 16_384 },
    frameworkErrors: answerProblem,
    trustProxy: proxies.length > 0 ? proxies : false,
  });
  answerProblems(server);
  const api = server.withTypeProvider<ZodTypeProvider>();
  api.setValidatorCompiler(validatorCompiler);
  api.setSerializerCompiler(serializerCompiler);
  guard(server, access, createAuthenticate(pool));
  await describeApi(server, access, version);

  const services: ControlServices = {
    pool,
    change: createChanges(pool, log),
    keyring,
    defaults: { document: defaults, policy: policySchema.parse(defaults) },
    world: createWorld({ pool, config }),
    now,
  };
  await api.register(healthRoutes(pool));
  await api.register(summaryRoutes(pool, { now, pricer }));
  await api.register(breakdownRoutes(pool, now));
  await api.register(exchangeRoutes(pool, now));
  await api.register(alertRoutes(services));
  await api.register(organizationRoutes(services));
  await api.register(userRoutes(services));
  await api.register(keyRoutes(services));
  await api.register(providerKeyRoutes(services));
  await api.register(policyRoutes(services));
  await api.register(bindingRoutes(services));
  await api.register(activityRoutes(services));
  await api.register(budgetRoutes(options.budgets));
  await api.register(routingRoutes(pool, now));
  await api.register(traceRoutes(pool));
  await api.register(deadLetterRoutes(services, options.retryLetter));
  await api.register(recommendationRoutes(services, { config, pricer }));
  await api.register(routeRoutes(options.explain));
  await api.register(cacheRoutes({ ...services, cache }));
  api.get('/openapi.json', { schema: { hide: true } }, async () => server.swagger());

  return {
    /** For tests: requests without a socket. */
    inject: api.inject.bind(api),
    /** Rejects when the address cannot be had. */
    async start({ host, port }: Address): Promise<void> {
      await api.listen({ host, port });
    },
    /** Answers what it has, takes no more. */
    stop: () => api.close(),
  };
}
