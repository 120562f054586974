import { type Loaded, loadConfig } from './load.ts';
import { type DataPaths, dataPaths } from './paths.ts';

/** What the process was told by its flags and its environment. */
export interface Settings extends Loaded {
  paths: DataPaths;
  /** What `weir keys` and `weir policy` show to the API; undefined: what lies in the data directory. */
  apiKey: string | undefined;
  /** The environment for children that weir starts. */
  env: Record<string, string | undefined>;
}

/**
 * What applications on this machine tell their OpenTelemetry. The ledger is made of spans: none of it may
 * turn them off or cut them short.
 */
const foreign = /^OTEL_/;

/** Reads the environment: nothing else in src does. Throws ConfigError. */
export function readSettings(flags: { config?: string; data?: string }): Settings {
  const { env } = process;
  for (const name of Object.keys(env)) if (foreign.test(name)) delete env[name];
  const cwd = process.cwd();
  const loaded = loadConfig({ file: flags.config ?? env.WEIR_CONFIG, env, cwd });
  return {
    ...loaded,
    paths: dataPaths(flags.data ?? env.WEIR_DATA ?? '.weir', cwd),
    apiKey: env.WEIR_API_KEY,
    env,
  };
}
