/** A JSON object with a text in one of its own members, and every other character as it was. Must be valid JSON. */
export function withMember(body: Uint8Array, name: string, value: string): Buffer {
  const json = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  const place = memberAt(json, name);
  const text = JSON.stringify(value);
  if (place) return Buffer.from(json.slice(0, place.start) + text + json.slice(place.end));
  const start = json.indexOf('{') + 1;
  const comma = /^\s*\}/.test(json.slice(start)) ? '' : ',';
  return Buffer.from(`${json.slice(0, start)}${JSON.stringify(name)}:${text}${comma}${json.slice(start)}`);
}

/** Where the value of the last such member stands: of several the last counts. */
function memberAt(json: string, name: string): { start: number; end: number } | null {
  let depth = 0;
  let key = '';
  let start = -1;
  let found: { start: number; end: number } | null = null;
  const endValue = (end: number) => {
    if (start >= 0 && key === name) found = trimmed(json, start, end);
    start = -1;
  };
  for (let at = 0; at < json.length; at++) {
    const char = json[at];
    if (char === '"') {
      const end = endOfString(json, at);
      if (depth === 1 && start < 0) key = JSON.parse(json.slice(at, end + 1));
      at = end;
    } else if (char === ':' && depth === 1 && start < 0) start = at + 1;
    else if (char === '{' || char === '[') depth++;
    else if (char === '}' || char === ']') {
      depth--;
      if (depth === 0) endValue(at);
    } else if (char === ',' && depth === 1) endValue(at);
  }
  return found;
}

function trimmed(json: string, from: number, to: number): { start: number; end: number } {
  let [start, end] = [from, to];
  while (/\s/.test(json[start] ?? '')) start++;
  while (/\s/.test(json[end - 1] ?? '')) end--;
  return { start, end };
}

function endOfString(json: string, start: number): number {
  for (let at = start + 1; at < json.length; at++) {
    if (json[at] === '\\') at++;
    else if (json[at] === '"') return at;
  }
  return json.length;
}
