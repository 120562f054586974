import { asObject, type JsonObject } from '../json.ts';
import { isSet, objectsIn, offersToolBeside, type Reuse, reasons, sets, whys } from '../reuse.ts';

export const reuse: Reuse = {
  uncounted: new Map([
    ['stream', reasons.stream],
    ['metadata', reasons.user],
    ['service_tier', reasons.tier],
    ['cache_control', reasons.promptCache],
  ]),
  never: [
    {
      what: '`container`, `thread`, `diagnostics`, `fallback_credit_token`',
      why: whys.state,
      holds: sets('container', 'thread', 'diagnostics', 'fallback_credit_token'),
    },
    {
      what: '`mcp_servers`; tools other than own ones, `bash`, `text_editor`, `memory` and `tool_search_tool`',
      why: whys.tools,
      holds: (request) =>
        isSet(request.mcp_servers) ||
        offersToolBeside(/^(custom$|bash_|text_editor_|memory_|tool_search_tool_)/)(request),
    },
    { what: 'images and documents by address', why: whys.fetched, holds: fetches },
  ],
  deterministic: ({ temperature }) => temperature === 0,
};

function fetches({ messages }: JsonObject): boolean {
  for (const block of objectsIn(messages)) {
    if (asObject(block.source)?.type === 'url') return true;
  }
  return false;
}
