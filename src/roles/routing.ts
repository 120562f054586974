import type { Config } from '../config/schema.ts';
import type { RoutedCall } from '../proof/replay.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { createConversations } from '../routing/conversations.ts';
import type { Paces } from '../routing/paces.ts';
import { createRouter } from '../routing/router.ts';
import { createScorer } from '../routing/scorer.ts';
import { createTokens } from '../routing/tokens.ts';
import type { Pricer } from '../usage/price.ts';

/** What calls are routed by. Loading the tokenizer takes some hundred milliseconds: before the first call comes. */
export async function createRouting(
  { providers, models }: Pick<Config, 'providers' | 'models'>,
  options: {
    pricer: Pricer;
    redis: RedisConnection | null;
    paces: Paces;
    now: () => number;
    replay: (call: RoutedCall) => void;
  },
) {
  const { pricer, redis, paces, now } = options;
  const router = createRouter({
    providers,
    models,
    pricer,
    paces,
    tokens: await createTokens(),
    scorer: createScorer(),
    now,
  });
  return {
    router,
    paces,
    conversations: createConversations(redis),
    replay: options.replay,
    random: Math.random,
  };
}
