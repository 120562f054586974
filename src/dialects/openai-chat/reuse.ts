import { asArray, asObject, asString, type JsonObject } from '../json.ts';
import { labelsAndTransport } from '../openai/reuse.ts';
import {
  isAddress,
  isSet,
  objectsIn,
  offersToolBeside,
  type Reuse,
  sets,
  whys,
  zeroOrSeed,
} from '../reuse.ts';

/** Models that search by themselves, and routers that let them. */
const searchingModel = /-search-(preview|api)|(^|\/)sonar|compound|:online$/;

/** Members by which one provider or another is asked to search. */
const searches = sets(
  'web_search_options',
  'search_parameters',
  'search_settings',
  'enable_search',
  'plugins',
  'data_sources',
);

/** `store` counts: an answer that was not stored has no later use, and its id is unknown to the provider. */
export const reuse: Reuse = {
  uncounted: new Map(labelsAndTransport),
  never: [
    { what: '`store: true`', why: whys.state, holds: ({ store }) => store === true },
    { what: '`deferred` (xAI), `preset` (OpenRouter)', why: whys.state, holds: sets('deferred', 'preset') },
    {
      what: 'tools other than `function` and `custom`; searches by option or model (`web_search_options`, `search_parameters`, `plugins`, `…-search-preview`, `sonar`, `compound`, `:online`); `data_sources`',
      why: whys.tools,
      holds: (request) =>
        offersToolBeside(/^(function|custom)$/)(request) ||
        searches(request) ||
        searchingModel.test(asString(request.model) ?? ''),
    },
    { what: 'images, files and documents by address', why: whys.fetched, holds: fetches },
    {
      what: 'sound as output, or an earlier one named by its id',
      why: 'its id can be named in the next turn for an hour only',
      holds: ({ modalities, messages }) =>
        asArray(modalities).includes('audio') ||
        asArray(messages).some((each) => isSet(asObject(asObject(each)?.audio)?.id)),
    },
  ],
  deterministic: (request) => zeroOrSeed(request) || typeof request.random_seed === 'number',
};

function fetches({ messages }: JsonObject): boolean {
  for (const part of objectsIn(asArray(messages).map((each) => asObject(each)?.content))) {
    if ([part.image_url, part.document_url, part.video_url, part.audio_url, part.file_url].some(isAddress))
      return true;
  }
  return false;
}
