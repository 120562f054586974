/**
 * A JSON object in text without one of its own members, and every other character as it was. The text
 * must be valid JSON.
 */
export function withoutMember(json: string, name: string): string {
  let depth = 0;
  let keyStart = -1;
  let memberStart = -1;
  let found = false;
  for (let at = 0; at < json.length; at++) {
    const char = json[at];
    if (char === '"') {
      const end = endOfString(json, at);
      if (depth === 1 && keyStart < 0) {
        keyStart = at;
        found = json.slice(at + 1, end) === name;
      }
      at = end;
    } else if (char === '{' || char === '[') {
      depth++;
      if (depth === 1) memberStart = at + 1;
    } else if (char === '}' || char === ']') {
      depth--;
      if (depth === 0) return found ? cut(json, memberStart, at, false) : json;
    } else if (char === ',' && depth === 1) {
      if (found) return cut(json, memberStart, at, true);
      memberStart = at + 1;
      keyStart = -1;
    }
  }
  return json;
}

/** Cuts a member out with one of the commas beside it. */
function cut(json: string, start: number, end: number, followed: boolean): string {
  if (followed) return json.slice(0, start) + json.slice(end + 1);
  const comma = json[start - 1] === ',' ? start - 1 : start;
  return json.slice(0, comma) + json.slice(end);
}

function endOfString(json: string, start: number): number {
  for (let at = start + 1; at < json.length; at++) {
    if (json[at] === '\\') at++;
    else if (json[at] === '"') return at;
  }
  return json.length;
}
