import { asArray, asObject, type JsonObject } from '../json.ts';
import { labelsAndTransport } from '../openai/reuse.ts';
import { isAddress, isSet, objectsIn, offersToolBeside, type Reuse, sets, whys } from '../reuse.ts';

/**
 * Tools that the caller runs, and those whose work is whole in the answer. A search among tools finds only
 * what the request lists.
 */
const tools = /^(function|custom|apply_patch|local_shell|image_generation|tool_search|namespace)$/;

/**
 * Responses are stored where the request does not say otherwise; their ids name what does not change, and
 * any number of callers may read one or go on from it. So these may be kept. `store` counts: the id of an
 * answer with `store: false` is unknown to the provider.
 */
export const reuse: Reuse = {
  uncounted: new Map(labelsAndTransport),
  never: [
    {
      what: '`previous_response_id`, `conversation`, `background`, `store: true`, `item_reference`, a `prompt` template without its version',
      why: whys.state,
      holds: (request) => isStateful(request) || request.store === true || hasOpenTemplate(request),
    },
    {
      what: 'tools other than `function`, `custom`, `apply_patch`, `local_shell`, `image_generation`, `tool_search`, `namespace`',
      why: whys.tools,
      holds: (request) => offersToolBeside(tools)(request) || asArray(request.tools).some(hasOpenNamespace),
    },
    { what: 'images and files by address', why: whys.fetched, holds: fetches },
  ],
  deterministic: ({ temperature }) => temperature === 0,
  echoed: { metadata: {}, user: null, safety_identifier: null, prompt_cache_key: null },
};

const setsState = sets('previous_response_id', 'conversation', 'background');

function isStateful(request: JsonObject): boolean {
  return (
    setsState(request) || asArray(request.input).some((item) => asObject(item)?.type === 'item_reference')
  );
}

function hasOpenTemplate({ prompt }: JsonObject): boolean {
  const template = asObject(prompt);
  return template !== null && !isSet(template.version);
}

/** A namespace lists tools of its own. */
function hasOpenNamespace(tool: unknown): boolean {
  return offersToolBeside(tools)(asObject(tool) ?? {});
}

function fetches({ input }: JsonObject): boolean {
  for (const part of objectsIn(asArray(input))) {
    if (part.type === 'input_image' && isAddress(part.image_url)) return true;
    if (part.type === 'input_file' && isAddress(part.file_url)) return true;
  }
  return false;
}
