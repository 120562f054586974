/**
 * Numbers that are not written as JavaScript would: 1.0, 1e5, -0, more than 15 digits. A few others may
 * match, and what stands in a text.
 */
const unusual = /[[:,\s](?:-0(?!\.\d)|-?(?:\d+\.\d*0(?!\d)|\d+(?:\.\d+)?[eE]|[\d.]{16}))/;

/**
 * `JSON.rawJSON` and the source text of a number are of the language (ECMAScript, "JSON.parse source text
 * access"), but not of the type library yet.
 */
type Exact = {
  parse(
    text: string,
    revive: (name: string, value: unknown, context: { source: string }) => unknown,
  ): unknown;
  rawJSON(text: string): unknown;
};

/**
 * Parses JSON so that `JSON.stringify` writes each number as it stood: where a client tells 1.0 from 1, or
 * reads integers of 64 bits, a kept answer says what the provider said. Throws a SyntaxError.
 */
export function parseExact(text: string): unknown {
  if (!unusual.test(text)) return JSON.parse(text);
  const exact: Exact = Object.assign(JSON);
  return exact.parse(text, (_, value, { source }) =>
    typeof value === 'number' && String(value) !== source ? exact.rawJSON(source) : value,
  );
}
