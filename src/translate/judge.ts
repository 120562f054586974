import { isDeepStrictEqual } from 'node:util';
import { type DialectName, type SpokenName, spokenNames } from '../config/dialects.ts';
import { asObject, asString, type JsonObject } from '../dialects/json.ts';
import type { NeutralRequest, Part, Tool, Turn } from '../dialects/neutral.ts';
import type { Own } from '../dialects/own.ts';
import { cannot } from './cannot.ts';
import type { Judged, Row } from './row.ts';

/** Something of a request that its target cannot say. */
export interface Found {
  /** As the dialect that asks calls it. */
  member: string;
  /** null: weir does not know the member. */
  row: Row | null;
}

/** Where things stand in each dialect. */
const places: Record<
  DialectName,
  { turn: string; part: string; item: string; call: string; tool: string; inner: string }
> = {
  'openai-chat': {
    turn: 'messages[]',
    part: 'messages[].content[]',
    item: 'messages[]',
    call: 'messages[].tool_calls[]',
    tool: 'tools[]',
    inner: 'messages[].content[]',
  },
  'openai-responses': {
    turn: 'input[]',
    part: 'input[].content[]',
    item: 'input[]',
    call: 'input[]',
    tool: 'tools[]',
    inner: 'input[].output[]',
  },
  'anthropic-messages': {
    turn: 'messages[]',
    part: 'messages[].content[]',
    item: 'messages[].content[]',
    call: 'messages[].content[]',
    tool: 'tools[]',
    inner: 'messages[].content[].content[]',
  },
  'gemini-generate': {
    turn: 'contents[]',
    part: 'contents[].parts[]',
    item: 'contents[].parts[]',
    call: 'contents[].parts[]',
    tool: 'tools[].functionDeclarations[]',
    inner: 'contents[].parts[].functionResponse.parts[]',
  },
};

interface Index {
  exact: Map<string, Row>;
  prefixes: [prefix: string, row: Row][];
}

const indexes = new Map<DialectName, Index>();

/** The rows by the members of a dialect; the longest that fits counts. */
function indexOf(dialect: DialectName): Index {
  const known = indexes.get(dialect);
  if (known) return known;
  const index: Index = { exact: new Map(), prefixes: [] };
  for (const row of cannot.filter(({ when }) => !when)) {
    for (const member of row.says[dialect] ?? []) {
      if (member.endsWith('*')) index.prefixes.push([member.slice(0, -1), row]);
      else index.exact.set(member, row);
    }
  }
  index.prefixes.sort(([a], [b]) => b.length - a.length);
  indexes.set(dialect, index);
  return index;
}

function rowOf(dialect: DialectName, member: string): Row | null {
  const { exact, prefixes } = indexOf(dialect);
  return exact.get(member) ?? prefixes.find(([prefix]) => member.startsWith(prefix))?.[1] ?? null;
}

/** All that a request says and its target cannot. */
export function judge(request: NeutralRequest, target: Judged): Found[] {
  const found = new Map<string, Found>();
  const { dialect } = request;
  const add = (member: string, value: unknown) => {
    if (saysNothing(value) || found.has(member)) return;
    const row = rowOf(dialect, member);
    if (!row?.harmless?.some((each) => isDeepStrictEqual(each, value))) found.set(member, { member, row });
  };
  walk(request, target, add);
  for (const row of cannot) {
    const to = row.to ?? refusedWith(row);
    if (row.when && to.includes(target.dialect) && row.when(request, target)) {
      const [member = row.what] = row.says[dialect] ?? [];
      found.set(`${row.id} ${member}`, { member, row });
    }
  }
  return [...found.values()];
}

/** Whom a row is refused with. */
export function refusedWith({ says, to }: Row): readonly SpokenName[] {
  return to ?? spokenNames.filter((name) => !(name in says));
}

function saysNothing(value: unknown): boolean {
  if (value === null || value === undefined) return true;
  if (Array.isArray(value)) return value.length === 0;
  const object = asObject(value);
  return object !== null && Object.keys(object).length === 0;
}

type Add = (member: string, value: unknown) => void;

/** Tells of everything that is the dialect's own, by its place. */
function walk(request: NeutralRequest, target: Judged, add: Add): void {
  const place = places[request.dialect];
  const takesOpenai = target.dialect.startsWith('openai-');
  addOwn(request.own, '', add);
  if (!takesOpenai) for (const name in request.openai) add(name, request.openai[name]);
  for (const turn of request.turns) walkTurn(turn, request.dialect, place, takesOpenai, add);
  for (const tool of request.tools) walkTool(tool, request.dialect, place.tool, add);
}

function walkTurn(
  turn: Turn,
  dialect: DialectName,
  place: (typeof places)[DialectName],
  takesOpenai: boolean,
  add: Add,
): void {
  addOwn(turn.own, place.turn, add);
  const isSystem = dialect === 'anthropic-messages' && turn.own?.spelling?.as === 'system';
  for (const part of turn.parts) {
    if (part.kind === 'unknown' && turn.role === 'unknown') add(nameOf(place.turn, part.value), part.value);
    else walkPart(part, isSystem ? 'system[]' : placeOf(part, place), takesOpenai, add);
    if (part.kind === 'result')
      for (const inner of part.parts) walkPart(inner, place.inner, takesOpenai, add);
  }
}

function placeOf(part: Part, place: (typeof places)[DialectName]): string {
  if (part.kind === 'call' || (part.kind === 'unknown' && part.at === 'tool_calls')) return place.call;
  return part.kind === 'thinking' || part.kind === 'result' ? place.item : place.part;
}

function walkPart(part: Part, place: string, takesOpenai: boolean, add: Add): void {
  if (part.kind === 'unknown') {
    add(nameOf(place, part.value), part.value);
    return;
  }
  addOwn(part.own, place, add);
  if (!takesOpenai && 'openai' in part)
    for (const name in part.openai) add(`${place}.${name}`, part.openai[name]);
}

function walkTool(tool: Tool, dialect: DialectName, place: string, add: Add): void {
  if (tool.kind === 'function') {
    addOwn(tool.own, place, add);
    return;
  }
  // Google's are members of one object.
  const members = dialect === 'gemini-generate' ? Object.keys(asObject(tool.value) ?? {}) : [];
  if (members.length === 0) add(nameOf('tools[]', tool.value), tool.value);
  for (const name of members) add(`tools[].${name}`, tool.value);
}

function addOwn(own: Own | undefined, place: string, add: Add): void {
  if (!own) return;
  const path = (name: string) => (place === '' ? name : `${place}.${name}`);
  for (const name in own.members) add(path(name), own.members[name]);
  for (const name in own.within) addOwn(own.within[name], path(name), add);
}

/** How something without a word is called: by its type, or by its first member. */
function nameOf(place: string, value: unknown): string {
  const object: JsonObject = asObject(value) ?? {};
  const tag = ['type', 'role'].find((name) => asString(object[name]) !== null);
  if (tag) return `${place}.${tag}=${object[tag]}`;
  const [first] = Object.keys(object).filter((name) => !/^thought/.test(name));
  return first === undefined ? place : `${place}.${first}`;
}
