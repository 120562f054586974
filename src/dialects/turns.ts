import type { Part, Turn } from './neutral.ts';

/** The system prompt, and the conversation after it. */
export function splitSystem(turns: Turn[]): { system: Turn[]; rest: Turn[] } {
  const found = turns.findIndex(({ role }) => role !== 'system');
  const start = found < 0 ? turns.length : found;
  return { system: turns.slice(0, start), rest: turns.slice(start) };
}

/**
 * One turn for what one side says in a row: a message and its calls, the results of parallel calls. Some
 * dialects have an item for each, others expect them together.
 */
export function joinTurns(turns: Turn[]): Turn[] {
  const joined: Turn[] = [];
  for (const { role, parts } of withCallIds(turns)) {
    const last = joined.at(-1);
    if (last?.role === role && (role === 'assistant' || role === 'tool')) last.parts.push(...parts);
    else joined.push({ role, parts: [...parts] });
  }
  return joined.map((turn) =>
    turn.role === 'assistant' ? { ...turn, parts: joinThoughts(turn.parts) } : turn,
  );
}

/** Calls without an id get one, and their results the same: Google tells them apart by name and order. */
function withCallIds(turns: Turn[]): Turn[] {
  if (!turns.some(({ parts }) => parts.some((part) => 'id' in part && part.id === ''))) return turns;
  const open: { id: string; name: string }[] = [];
  let count = 0;
  const named = (part: Part): Part => {
    if (part.kind === 'call' && part.id === '') {
      const id = `call_${count++}`;
      open.push({ id, name: part.name });
      return { ...part, id };
    }
    if (part.kind !== 'result' || part.id !== '') return part;
    const at = open.findIndex(({ name }) => name === part.name);
    const [found] = at < 0 ? [] : open.splice(at, 1);
    return { ...part, id: found?.id ?? `call_${count++}` };
  };
  return turns.map((turn) => ({ ...turn, parts: turn.parts.map(named) }));
}

/** A thought that a client kept in pieces, with the signature of another provider at its end, is one. */
function joinThoughts(parts: Part[]): Part[] {
  const joined: Part[] = [];
  for (const part of parts) {
    if (part.kind !== 'thinking' || part.signature.value === '') {
      joined.push(part);
      continue;
    }
    let { text } = part;
    for (let last = joined.at(-1); last?.kind === 'thinking'; last = joined.at(-1)) {
      if (last.signature.value !== '' || last.signature.origin === part.signature.origin) break;
      text = last.text + text;
      joined.pop();
    }
    joined.push({ ...part, text });
  }
  return joined;
}

/** The name of each call by its id: some results name only the one, some dialects want the other. */
export function callNames(turns: Turn[]): Map<string, string> {
  const names = new Map<string, string>();
  for (const { parts } of turns) {
    for (const part of parts) if (part.kind === 'call') names.set(part.id, part.name);
  }
  return names;
}

/** JSON text of a call's arguments. */
export function argsText(args: unknown): string {
  return typeof args === 'string' ? args : JSON.stringify(args ?? {});
}

/** A call's arguments as an object; a text that is none of JSON stays what it is. */
export function argsValue(args: unknown): unknown {
  if (typeof args !== 'string') return args ?? {};
  if (args.trim() === '') return {};
  try {
    return JSON.parse(args);
  } catch {
    return args;
  }
}
