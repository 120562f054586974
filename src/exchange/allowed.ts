import { matchesGlob } from '../config/policy/glob.ts';
import type { Refusal } from '../dialects/errors.ts';
import type { Access, Allowed } from '../identity/identity.ts';
import type { Arrival } from './arrival.ts';

/** Paths that name the model: Gemini and Vertex, Bedrock, Azure. */
const inPath = [
  /\/(?:models|endpoints)\/([^/:]+):[^/]*$/,
  /\/model\/(.+)\/[^/]+$/,
  /\/deployments\/([^/]+)\//,
];
/** No provider has longer ones. */
const maxPathChars = 2_048;
/** What costs no tokens, whichever the model. */
const free = ['count_tokens', 'models', 'files', 'moderation'];

/** null: the provider may be called. */
export function providerRefusal(access: Access, provider: string): Refusal | null {
  const list = access.providers.find(({ globs }) => !globs.some((glob) => matchesGlob(glob, provider)));
  if (!list) return null;
  return {
    code: 'provider_not_allowed',
    message: `The provider ${provider} ${notAllowed(list, 'providers')}`,
  };
}

/** null: the model may be asked for. Upper and lower case are alike. */
export function modelRefusal({ access }: Pick<Arrival, 'access'>, model: string | null): Refusal | null {
  const list = access.models.find(({ globs }) => !globs.some((glob) => allows(glob, model)));
  if (!list) return null;
  const what = model === null ? 'A call whose model cannot be seen' : `The model ${model}`;
  return { code: 'model_not_allowed', message: `${what} ${notAllowed(list, 'models')}` };
}

/** The same for a call whose body is not read: by its path, and not at all where it cannot cost anything. */
export function unreadModelRefusal(
  arrival: Pick<Arrival, 'access' | 'target'>,
  call: { method: string; isUpgrade: boolean; operation: string },
): Refusal | null {
  if (!modelRefusal(arrival, null)) return null;
  const model = modelInPath(arrival.target.path, call.isUpgrade);
  const asks = call.isUpgrade || !['GET', 'HEAD', 'OPTIONS', 'DELETE'].includes(call.method);
  if (model === null && (!asks || free.includes(call.operation))) return null;
  return modelRefusal(arrival, model);
}

/** A realtime connection has it in the query; what any other says there counts for nobody. */
function modelInPath(path: string, isUpgrade: boolean): string | null {
  if (path.length > maxPathChars) return null;
  const [plain = '', query] = path.split('?', 2);
  const named = inPath.map((pattern) => pattern.exec(plain)?.[1]).find((each) => each !== undefined);
  if (named === undefined) return isUpgrade ? new URLSearchParams(query).get('model') : null;
  try {
    return decodeURIComponent(named);
  } catch {
    return named;
  }
}

function allows(glob: string, model: string | null): boolean {
  return glob === '*' || (model !== null && matchesGlob(glob.toLowerCase(), model.toLowerCase()));
}

function notAllowed({ by, globs }: Allowed, what: string): string {
  const who = by === 'key' ? 'this API key' : 'your organization';
  return `is not allowed for ${who}. Allowed ${what}: ${globs.length > 0 ? globs.join(', ') : 'none'}.`;
}
