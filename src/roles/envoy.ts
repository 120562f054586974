import type { Settings } from '../config/env.ts';
import { bootstrap } from '../envoy/bootstrap.ts';
import type { EnvoyInputs } from '../envoy/inputs.ts';
import { resources } from '../envoy/resources.ts';
import type { Role } from './run.ts';

/** Envoy's configuration for these settings. */
export function envoyInputs({ config, paths }: Settings): EnvoyInputs {
  return {
    egress: config.listen.egress,
    providers: config.providers,
    onFailure: config.processor.on_failure,
    processors: Array.from({ length: config.processor.workers }, (_, index) =>
      paths.sockets.processor(index),
    ),
    otlpGrpc: config.listen.otlp_grpc,
    rootsFile: paths.roots,
  };
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
