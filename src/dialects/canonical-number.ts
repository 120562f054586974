const minus = 45;
const zero = 48;
const nine = 57;

/** A number as its digits, without zeros at either end, and a power of ten; `true` and its like as they are. */
export function canonicalNumber(word: string): string {
  const [, sign = '', whole = '', fraction = '', power = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,15}))?$/.exec(word) ?? [];
  if (whole === '') return word;
  const all = whole + fraction;
  let start = 0;
  while (all.charCodeAt(start) === zero) start++;
  let end = all.length;
  while (end > start && all.charCodeAt(end - 1) === zero) end--;
  if (start === end) return '0';
  const exponent = Number(power) - fraction.length + (all.length - end);
  return exponent === 0 ? sign + all.slice(start, end) : `${sign}${all.slice(start, end)}e${exponent}`;
}

/** A whole number that neither begins nor ends with a zero: most are, and are written as they are. */
export function isPlainNumber(json: string, start: number, end: number): boolean {
  const first = json.charCodeAt(start);
  for (let at = first === minus ? start + 1 : start; at < end; at++) {
    const char = json.charCodeAt(at);
    if (char < zero || char > nine) return false;
  }
  return first !== zero && json.charCodeAt(end - 1) !== zero;
}
