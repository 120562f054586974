/** A text that is given again as a stream comes in so many pieces at most, none shorter than this but the last. */
const maxPieces = 16;
const minChars = 48;

/** A text in a few pieces, cut behind words where there are any; none of an empty one. */
export function pieces(text: string): string[] {
  const size = Math.max(minChars, Math.ceil(text.length / maxPieces));
  const found: string[] = [];
  for (let start = 0; start < text.length; ) {
    const end = start + size >= text.length ? text.length : cutBehind(text, start + size);
    found.push(text.slice(start, end));
    start = end;
  }
  return found;
}

/** The next place from here on that is behind a space, else here, but never inside a character. */
function cutBehind(text: string, place: number): number {
  const space = text.slice(place, place + minChars).search(/\s/);
  if (space >= 0) return place + space + 1;
  const isLow = (text.charCodeAt(place) & 0xfc00) === 0xdc00;
  return isLow ? place + 1 : place;
}
