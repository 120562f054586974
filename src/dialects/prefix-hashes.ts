import { hash } from 'node:crypto';
import { asObject, type JsonObject } from './json.ts';
import { isData } from './text.ts';

/** About 1,024 tokens. */
const stepChars = 4 * 1_024;
const maxHashes = 64;
/** What is nested deeper is no prompt. */
const maxDepth = 64;

/** Where prompts stand in requests of all families, in the order in which providers cache them. */
const first = ['tools', 'toolConfig', 'system', 'systemInstruction', 'system_instruction', 'instructions'];
const then = ['messages', 'contents', 'input', 'prompt'];

/**
 * Hashes of the prompt's prefixes at steps of about 1,024 tokens, 64 at most: requests that begin alike have
 * the first of them in common, as far as they are alike. Each is the beginning of a SHA-256 over the one
 * before and the text that follows, 16 hex digits. It tells two prompts apart and cannot be turned back into
 * one, but who has a text can find it again.
 */
export function prefixHashes(request: JsonObject): string[] {
  const hasher = new PrefixHasher();
  for (const name of [...first, ...then]) hasher.walk(request[name]);
  return hasher.hashes;
}

class PrefixHasher {
  readonly hashes: string[] = [];
  /** Of all before, in full. */
  #last = '';
  #open = '';

  walk(value: unknown, depth = 0): void {
    if (value === undefined || depth > maxDepth || this.hashes.length === maxHashes) return;
    if (typeof value === 'string') this.#add(isData(value) ? hash('sha256', value) : value);
    else if (Array.isArray(value)) for (const each of value) this.walk(each, depth + 1);
    else {
      const object = asObject(value);
      if (!object) this.#add(String(value));
      for (const [name, member] of Object.entries(object ?? {})) {
        // A mark that says how far to cache moves on with the conversation.
        if (name === 'cache_control' || name === 'cachePoint') continue;
        this.#add(name);
        this.walk(member, depth + 1);
      }
    }
  }

  #add(text: string): void {
    // Apart from its neighbour: `ab`, `c` is not `a`, `bc`.
    this.#open += `${text}\0`;
    let at = 0;
    for (; this.#open.length - at >= stepChars && this.hashes.length < maxHashes; at += stepChars) {
      this.#last = hash('sha256', this.#last + this.#open.slice(at, at + stepChars));
      this.hashes.push(this.#last.slice(0, 16));
    }
    if (at > 0) this.#open = this.#open.slice(at);
  }
}
