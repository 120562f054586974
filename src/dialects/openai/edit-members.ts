const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a];
const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d];

interface Member {
  name: string;
  /** From its name to before the comma or the brace that ends it. */
  start: number;
  value: number;
  end: number;
}

/** Changes of an object's own members: JSON text in place of a value, or null: the member goes. */
export type MemberEdits = Record<string, string | null>;

/**
 * JSON of an object with some of its own members changed, and every other byte as it was. What is set and not
 * there is put first. The body must be valid JSON of an object.
 */
export function editMembers(body: Buffer, changes: MemberEdits): Buffer {
  // A map: a member may be called `valueOf`.
  const edits = new Map(Object.entries(changes));
  const { members, open } = membersOf(body);
  const present = new Set(members.map(({ name }) => name));
  const added = [...edits].filter(([name, value]) => value !== null && !present.has(name));
  const kept = members.filter(({ name }) => edits.get(name) !== null);
  if (kept.length < members.length) return rebuilt(body, kept, edits, added);
  const parts: Uint8Array[] = [body.subarray(0, open)];
  let at = open;
  for (const [name, value] of added)
    parts.push(
      Buffer.from(
        `${JSON.stringify(name)}:${value}${members.length > 0 || name !== added.at(-1)?.[0] ? ',' : ''}`,
      ),
    );
  for (const { name, value, end } of members) {
    const edit = edits.get(name);
    if (edit === undefined || edit === null) continue;
    parts.push(body.subarray(at, value), Buffer.from(edit));
    at = end;
  }
  parts.push(body.subarray(at));
  return Buffer.concat(parts);
}

/** With members left out: those that stay, each as it was, with commas between. */
function rebuilt(
  body: Buffer,
  kept: Member[],
  edits: ReadonlyMap<string, string | null>,
  added: [string, string | null][],
): Buffer {
  const parts: Uint8Array[] = added.map(([name, value]) => Buffer.from(`${JSON.stringify(name)}:${value}`));
  for (const { name, start, value, end } of kept) {
    const edit = edits.get(name);
    parts.push(
      edit === undefined || edit === null
        ? body.subarray(start, end)
        : Buffer.concat([body.subarray(start, value), Buffer.from(edit)]),
    );
  }
  const joined = parts.flatMap((part, index) => (index === 0 ? [part] : [Buffer.from(','), part]));
  return Buffer.concat([Buffer.from('{'), ...joined, Buffer.from('}')]);
}

/** The object's own members, and where its first one may begin. */
function membersOf(body: Buffer): { members: Member[]; open: number } {
  const open = body.indexOf(openBrace) + 1;
  const members: Member[] = [];
  let member: Member | null = null;
  let depth = 1;
  for (let at = open; at < body.length && depth > 0; at++) {
    const byte = body[at];
    if (byte === quote) {
      const end = endOfString(body, at);
      member ??= { name: nameOf(body.subarray(at, end + 1)), start: at, value: -1, end: -1 };
      at = end;
    } else if (byte === openBrace || byte === openBracket) depth++;
    else if (byte === closeBrace || byte === closeBracket) depth--;
    if (byte === colon && depth === 1 && member && member.value < 0) member.value = skipSpace(body, at + 1);
    const isEnd = (byte === comma && depth === 1) || (byte === closeBrace && depth === 0);
    if (!isEnd || !member) continue;
    members.push({ ...member, end: trimSpace(body, at) });
    member = null;
  }
  return { members, open };
}

function nameOf(text: Buffer): string {
  const name: unknown = JSON.parse(text.toString('utf8'));
  return typeof name === 'string' ? name : '';
}

function endOfString(body: Buffer, start: number): number {
  for (let at = body.indexOf(quote, start + 1); at >= 0; at = body.indexOf(quote, at + 1)) {
    let slashes = 0;
    while (body[at - 1 - slashes] === backslash) slashes++;
    if (slashes % 2 === 0) return at;
  }
  return body.length;
}

const isSpace = (byte: number | undefined) =>
  byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;

function skipSpace(body: Buffer, at: number): number {
  let next = at;
  while (isSpace(body[next])) next++;
  return next;
}

function trimSpace(body: Buffer, end: number): number {
  let last = end;
  while (isSpace(body[last - 1])) last--;
  return last;
}
