const maxTags = 32;
const maxValueChars = 256;
const tagName = /^[\w.-]{1,64}$/;

/**
 * The tags of `x-weir-tags: team=search,env=prod`. A value may be percent-encoded; the last of a name
 * counts. What is no tag is left out: a call does not fail for its label.
 */
export function readTags(header: string | undefined): Record<string, string> {
  const tags = new Map<string, string>();
  for (const part of header?.split(',') ?? []) {
    const at = part.indexOf('=');
    const name = part.slice(0, at).trim();
    if (at < 0 || !tagName.test(name) || (tags.size === maxTags && !tags.has(name))) continue;
    tags.set(name, decode(part.slice(at + 1).trim()).slice(0, maxValueChars));
  }
  return Object.fromEntries(tags);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
