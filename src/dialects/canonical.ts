import { canonicalNumber, isPlainNumber } from './canonical-number.ts';

/** An object that is open while the text is gone through; null in its place: a list. */
interface OpenObject {
  /** Where its tokens begin. */
  start: number;
  /** Names so far, in canonical form, and the place of each among the tokens. */
  names: string[];
  places: number[];
  /** What comes next is a name. */
  named: boolean;
  sorted: boolean;
}

/** Names, in a set or as the keys of a map. */
type Names = Pick<ReadonlySet<string>, 'has' | 'size'>;

/** Escapes for what JSON can say in a shorter way. A few others may match. */
const otherwise = /\\[/u]/;
const nothing: Names = new Set<string>();
const space = 32;
const quote = 34;
const comma = 44;
const colon = 58;
const openBracket = 91;
const backslash = 92;
const closeBracket = 93;
const openBrace = 123;
const closeBrace = 125;

/**
 * What a JSON text says, written in one way: equal for texts that say the same, different for all
 * others. Members are sorted; numbers are taken by their exact decimal value (1, 1.0 and 1e0 are one,
 * 9007199254740993 and …992 are two), strings character by character; of a name that is given twice both
 * count, since readers differ in which they take. `uncounted` members of the outermost object are left
 * out. The text must be valid JSON and may be nested as deep as it likes. What comes out is no JSON: it
 * has no commas between members.
 */
export function canonicalForm(json: string, uncounted: Names = nothing): string {
  const tokens: string[] = [];
  const stack: (OpenObject | null)[] = [];
  let object: OpenObject | null = null;
  // What is written in canonical form already is taken over in one piece.
  let from = 0;
  let slash = placeOf('\\', json, 0);
  const takeOver = (to: number, next: number) => {
    if (from < to) tokens.push(json.slice(from, to));
    from = next;
  };
  for (let at = 0; at < json.length; ) {
    const char = json.charCodeAt(at);
    let next = at + 1;
    if (char === quote) {
      next = json.indexOf('"', next) + 1;
      if (slash < at) slash = placeOf('\\', json, at);
      const hasEscapes = slash < next;
      if (hasEscapes) next = endOfEscaped(json, slash);
      const escaped = hasEscapes && otherwise.test(json.slice(at, next));
      if (escaped || object?.named) takeOver(at, escaped ? next : at);
      if (object?.named) {
        const name = json.slice(at, next);
        addName(object, escaped ? canonicalString(name) : name, tokens.length);
      } else if (object) object.named = true;
      if (escaped) tokens.push(canonicalString(json.slice(at, next)));
    } else if (char === openBrace || char === openBracket) {
      if (object) object.named = true;
      if (char === openBrace) takeOver(at, at);
      object = char === openBrace ? opened(tokens.length) : null;
      stack.push(object);
    } else if (char === closeBrace || char === closeBracket) {
      if (object) {
        takeOver(at, at);
        arrange(tokens, object, stack.length === 1 ? uncounted : nothing);
      }
      stack.pop();
      object = stack.at(-1) ?? null;
    } else if (char <= space || (char === comma && object)) {
      takeOver(at, next);
    } else if (char !== comma && char !== colon) {
      next = endOfWord(json, at);
      if (!isPlainNumber(json, at, next)) {
        takeOver(at, next);
        tokens.push(canonicalNumber(json.slice(at, next)));
      }
      if (object) object.named = true;
    }
    at = next;
  }
  takeOver(json.length, json.length);
  return tokens.join('');
}

function opened(start: number): OpenObject {
  return { start, names: [], places: [], named: true, sorted: true };
}

function addName(object: OpenObject, name: string, place: number): void {
  const last = object.names.at(-1);
  if (last !== undefined && last > name) object.sorted = false;
  object.names.push(name);
  object.places.push(place);
  object.named = false;
}

/** Brings the members of an object into their order, as one token. */
function arrange(tokens: string[], object: OpenObject, uncounted: Names): void {
  const { start, names, places, sorted } = object;
  if (sorted && uncounted.size === 0) return;
  const order = [...names.keys()];
  if (!sorted) order.sort((a, b) => compare(names[a] ?? '', names[b] ?? ''));
  // `+` copies nothing until the whole is read: deep nesting costs no more than its length.
  let text = '{';
  for (const index of order) {
    if (uncounted.size > 0 && uncounted.has(JSON.parse(names[index] ?? ''))) continue;
    const end = places[index + 1] ?? tokens.length;
    for (let at = places[index] ?? end; at < end; at++) text += tokens[at];
  }
  tokens.length = start;
  tokens.push(text);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function placeOf(char: string, json: string, from: number): number {
  const place = json.indexOf(char, from);
  return place < 0 ? json.length : place;
}

/** The place behind the closing quote of a string whose first backslash is here. */
function endOfEscaped(json: string, slash: number): number {
  let at = slash;
  for (let char = backslash; char !== quote && at < json.length; char = json.charCodeAt(at)) {
    at += char === backslash ? 2 : 1;
  }
  return at + 1;
}

function canonicalString(text: string): string {
  return JSON.stringify(JSON.parse(text));
}

function endOfWord(json: string, start: number): number {
  let at = start + 1;
  for (; at < json.length; at++) {
    const char = json.charCodeAt(at);
    if (char <= space || char === comma || char === closeBracket || char === closeBrace) break;
  }
  return at;
}
