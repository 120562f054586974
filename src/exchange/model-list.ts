import type { Config, ProviderConfig } from '../config/schema.ts';
import { asObject, type JsonObject, parseJson } from '../dialects/json.ts';
import type { Arrival } from './arrival.ts';
import type { ReplyChange, RequestHead } from './messages.ts';

/** A name that the config gives, and who serves it. */
interface Alias {
  id: string;
  provider: string;
}

/** The names under which the config serves models; those that only have a price are the provider's to list. */
export function aliasesOf(models: Config['models']): Alias[] {
  return Object.entries(models).flatMap(([id, { provider, model, dialect, deployments }]) =>
    id.endsWith('*') || [provider, model, dialect, deployments].every((each) => each === undefined)
      ? []
      : [{ id, provider: provider ?? 'weir' }],
  );
}

/** Whether a call asks for the list of models, in a form that can be added to. */
function listsModels({ method }: RequestHead, { target, provider }: Arrival): boolean {
  return method === 'GET' && target.endpoint === '/models' && Object.hasOwn(forms, provider.api);
}

const forms: Partial<
  Record<ProviderConfig['api'], { list: string; entry: (alias: Alias) => JsonObject; id: string }>
> = {
  openai: {
    list: 'data',
    id: 'id',
    entry: ({ id, provider }) => ({ id, object: 'model', created: 0, owned_by: provider }),
  },
  anthropic: {
    list: 'data',
    id: 'id',
    entry: ({ id }) => ({ id, type: 'model', display_name: id, created_at: '1970-01-01T00:00:00Z' }),
  },
  gemini: {
    list: 'models',
    id: 'name',
    entry: ({ id }) => ({
      name: `models/${id}`,
      displayName: id,
      supportedGenerationMethods: ['generateContent', 'streamGenerateContent'],
    }),
  },
};

/** Adds the names of the config to a provider's list; null: the call asks for no list. */
export function listing(head: RequestHead, arrival: Arrival, aliases: Alias[]): ReplyChange | null {
  if (aliases.length === 0 || !listsModels(head, arrival)) return null;
  return {
    plan: ({ status, ended }, observe) => ({
      observe: status === 200 && !ended ? 'whole' : observe,
      edit: { set: {}, remove: [] },
    }),
    async whole(bytes) {
      const body = withAliases(bytes, arrival.provider.api, aliases);
      return body ? { body, headers: { set: { 'content-length': String(body.length) }, remove: [] } } : {};
    },
  };
}

/** The provider's list with the config's names behind its own; null: it is no list. */
function withAliases(body: Buffer, api: ProviderConfig['api'], aliases: Alias[]): Buffer | null {
  const form = forms[api];
  const value = asObject(parseJson(body));
  const list = form && value?.[form.list];
  if (!form || !value || !Array.isArray(list)) return null;
  const known = new Set(list.map((each) => asObject(each)?.[form.id]));
  const added = aliases.map(form.entry).filter((entry) => !known.has(entry[form.id]));
  return Buffer.from(JSON.stringify({ ...value, [form.list]: [...list, ...added] }));
}
