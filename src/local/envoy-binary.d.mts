type Environment = Record<string, string | undefined>;

/** The path of an Envoy; rejects with one line that says what to install. */
export function findEnvoy(options: { env: Environment; say: (line: string) => void }): Promise<string>;

/** The user's cache directory for weir. */
export function cacheDirectory(env: Environment): string;
