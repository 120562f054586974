import swagger from '@fastify/swagger';
import fastify, { type FastifyBaseLogger, LogController } from 'fastify';
import {
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import type { Logger } from 'pino';
import type { AlertStore } from '../alerts/store.ts';
import type { Address } from '../config/schema.ts';
import type { Pool } from '../db/pool.ts';
import type { Pricer } from '../usage/price.ts';
import { createAuthenticate } from './auth.ts';
import { answerProblems } from './problem.ts';
import { alertRoutes } from './routes/alerts.ts';
import { breakdownRoutes } from './routes/breakdown.ts';
import { exchangeRoutes } from './routes/exchanges.ts';
import { healthRoutes } from './routes/health.ts';
import { summaryRoutes } from './routes/summary.ts';

/** HTTP for people and programs; described at /openapi.json. */
export async function createApi(options: {
  pool: Pool;
  pricer: Pricer;
  alerts: AlertStore;
  log: Logger;
  version: string;
  now: () => number;
}) {
  const { pool, pricer, alerts, log, version, now } = options;
  const server = fastify({
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 1024 * 1024,
    requestTimeout: 30_000,
    connectionTimeout: 60_000,
    forceCloseConnections: 'idle',
  });
  answerProblems(server);
  const api = server.withTypeProvider<ZodTypeProvider>();
  api.setValidatorCompiler(validatorCompiler);
  api.setSerializerCompiler(serializerCompiler);
  await api.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'weir', version, description: 'What LLM calls cost, and where the money went.' },
      components: {
        securitySchemes: { key: { type: 'http', scheme: 'bearer', description: 'weir_admin_…' } },
      },
      security: [{ key: [] }],
    },
    transform: jsonSchemaTransform,
  });
  await api.register(healthRoutes(pool));
  const authenticate = createAuthenticate(pool);
  await api.register(summaryRoutes(pool, authenticate, { now, pricer }));
  await api.register(breakdownRoutes(pool, authenticate, now));
  await api.register(exchangeRoutes(pool, authenticate, now));
  await api.register(alertRoutes(pool, authenticate, alerts));
  api.get('/openapi.json', { schema: { hide: true } }, async () => api.swagger());

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
