import { asArray, type JsonObject } from '../json.ts';
import {
  isAddress,
  objectsIn,
  offersToolBeside,
  type Reuse,
  reasons,
  sets,
  whys,
  zeroOrSeed,
} from '../reuse.ts';

export const reuse: Reuse = {
  uncounted: new Map([
    ['stream', reasons.stream],
    ['priority', 'the place in the queue'],
  ]),
  never: [
    { what: '`conversation_id`', why: whys.state, holds: sets('conversation_id') },
    {
      what: '`connectors`; tools other than `function`',
      why: whys.tools,
      holds: (request) => sets('connectors')(request) || offersToolBeside(/^function$/)(request),
    },
    { what: 'images by address', why: whys.fetched, holds: fetches },
  ],
  deterministic: zeroOrSeed,
};

function fetches({ messages }: JsonObject): boolean {
  for (const part of objectsIn(asArray(messages))) if (isAddress(part.image_url)) return true;
  return false;
}
