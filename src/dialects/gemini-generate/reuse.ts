import { asArray, asObject, asString, type JsonObject } from '../json.ts';
import { objectsIn, type Reuse, reasons, sets, whys, zeroOrSeed } from '../reuse.ts';

export const reuse: Reuse = {
  uncounted: new Map([
    ['labels', 'labels for the bill'],
    ['serviceTier', reasons.tier],
    ['service_tier', reasons.tier],
  ]),
  never: [
    { what: '`cachedContent`', why: whys.state, holds: sets('cachedContent', 'cached_content') },
    { what: 'tools other than `functionDeclarations`', why: whys.tools, holds: offersMore },
    {
      what: 'files by address, other than of the Files API',
      why: whys.fetched,
      holds: ({ contents, systemInstruction, system_instruction }) =>
        fetches([contents, systemInstruction, system_instruction]),
    },
  ],
  deterministic: (request) =>
    zeroOrSeed(asObject(request.generationConfig) ?? asObject(request.generation_config) ?? {}),
};

function offersMore({ tools }: JsonObject): boolean {
  const list = Array.isArray(tools) ? tools : [tools];
  return list.some((tool) =>
    Object.keys(asObject(tool) ?? {}).some((kind) => !/^function_?declarations$/i.test(kind)),
  );
}

/** A file of the Files API never changes; what a bucket or a web address holds may. */
export function fetches(value: unknown): boolean {
  for (const part of objectsIn(asArray(value))) {
    const file = asObject(part.fileData) ?? asObject(part.file_data);
    const uri = asString(file?.fileUri) ?? asString(file?.file_uri) ?? asString(part.gcsUri);
    if (uri !== null && !/^https:\/\/generativelanguage\.googleapis\.com\/.*\bfiles\//.test(uri)) return true;
  }
  return false;
}
