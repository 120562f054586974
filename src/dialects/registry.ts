import type { ProviderConfig } from '../config/schema.ts';
import type { Dialect } from './dialect.ts';
import { openaiChat } from './openai-chat/index.ts';

/** Which dialect is spoken at an endpoint of a family; the first match counts. */
const endpoints: readonly {
  api: ProviderConfig['api'];
  method: string;
  endpoint: RegExp;
  dialect: Dialect;
}[] = [{ api: 'openai', method: 'POST', endpoint: /(^|\/)chat\/completions$/, dialect: openaiChat }];

const byName = new Map(endpoints.map(({ dialect }) => [dialect.name, dialect]));

/** undefined: not a call that weir looks into; it passes untouched. */
export function findDialect(
  api: ProviderConfig['api'],
  method: string,
  endpoint: string,
): Dialect | undefined {
  return endpoints.find((each) => each.api === api && each.method === method && each.endpoint.test(endpoint))
    ?.dialect;
}

/** Throws when there is none: names come from weir itself. */
export function dialectByName(name: string): Dialect {
  const dialect = byName.get(name);
  if (!dialect) throw new Error(`no dialect ${name}`);
  return dialect;
}
