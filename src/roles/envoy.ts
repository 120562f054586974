import type { Settings } from '../config/env.ts';
import type { Config } from '../config/schema.ts';
import { bootstrap } from '../envoy/bootstrap.ts';
import type { EnvoyInputs } from '../envoy/inputs.ts';
import { resources } from '../envoy/resources.ts';
import type { Role } from './run.ts';

/** Envoy's configuration for these settings. */
export function envoyInputs({ config, paths }: Settings): EnvoyInputs {
  return {
    egress: config.listen.egress,
    providers: config.providers,
    models: config.models,
    onFailure: onFailure(config),
    processors: Array.from({ length: config.processor.workers }, (_, index) => ({
      socket: paths.sockets.processor(index),
      relay: paths.sockets.relay(index),
    })),
    otlpGrpc: config.listen.otlp_grpc,
    rootsFile: paths.roots,
  };
}

/**
 * While no processor answers nobody counts: where calls with the application's own key belong to an organization
 * with a hard budget, `auto` refuses them. Envoy knows no organizations: that of callers without a weir key is
 * the default one, whose policy is `defaults`.
 */
export function onFailure({ processor, defaults }: Config): EnvoyInputs['onFailure'] {
  const isHard = defaults.budgets.some(({ mode }) => mode === 'hard');
  return processor.on_failure === 'auto' && isHard ? 'closed' : processor.on_failure;
}

/** `weir envoy`: prints the bootstrap and the xDS resources. */
export const printEnvoy: Role = async ({ settings }) => {
  const printed = {
    bootstrap: JSON.parse(bootstrap(settings.paths.sockets)),
    ...resources(envoyInputs(settings)),
  };
  process.stdout.write(`${JSON.stringify(printed, null, 2)}\n`);
  return undefined;
};
