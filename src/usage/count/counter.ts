export function createCounter() {
  return {
    count: async (_m: string | null, texts: string[]) => ({
      tokens: Math.ceil(texts.join('').length / 4),
      exact: false,
    }),
    close: async () => {},
  };
}
