/** Whether a text is what a glob means: `*` stands for any characters, `?` for one. */
export function matchesGlob(glob: string, text: string): boolean {
  return walk(glob, text, (g, t) => g === '?' || g === t);
}

/** Whether every text that `narrow` means is one that `wide` means; both are globs. */
export function coversGlob(wide: string, narrow: string): boolean {
  return walk(wide, narrow, (g, t) => g === t || (g === '?' && t !== '*'));
}

/** Greedy: a star takes one character more each time that the rest does not fit. Never worse than length × length. */
function walk(glob: string, text: string, same: (g: string, t: string) => boolean): boolean {
  let g = 0;
  let t = 0;
  let star = -1;
  let resumed = 0;
  while (t < text.length) {
    if (glob[g] === '*') {
      star = g++;
      resumed = t;
    } else if (g < glob.length && same(glob.charAt(g), text.charAt(t))) {
      g++;
      t++;
    } else if (star >= 0) {
      g = star + 1;
      t = ++resumed;
    } else return false;
  }
  while (glob[g] === '*') g++;
  return g === glob.length;
}

/** Whether there is a text that two globs both mean. */
export function globsMeet(a: string, b: string): boolean {
  // meet[j]: whether the rest of `a` and `b` from j on have a text in common; from the ends to the front.
  let meet: boolean[] = [];
  for (let i = a.length; i >= 0; i--) {
    const below = meet;
    meet = [];
    for (let j = b.length; j >= 0; j--) {
      const [x, y] = [a.charAt(i), b.charAt(j)];
      if (x === '' && y === '') meet[j] = true;
      else if (x === '*') meet[j] = (below[j] ?? false) || (y !== '' && (meet[j + 1] ?? false));
      else if (y === '*') meet[j] = (meet[j + 1] ?? false) || (x !== '' && (below[j] ?? false));
      else meet[j] = x !== '' && y !== '' && (x === y || x === '?' || y === '?') && (below[j + 1] ?? false);
    }
  }
  return meet[0] ?? false;
}

export function isGlob(text: string): boolean {
  return /[*?]/.test(text);
}
