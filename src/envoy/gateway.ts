import { type EnvoyInputs, names } from './inputs.ts';
import { egressListener } from './listener.ts';
import { type Remote, remoteClusters, trustOf } from './remote.ts';
import { discovery, type Resources } from './resources.ts';
import { routeConfiguration } from './routes.ts';

/** All configuration of a gateway in the cluster: what `weir up` has on one machine, with weir elsewhere. */
export function gatewayResources(inputs: Remote & Pick<EnvoyInputs, 'egress' | 'onFailure'>): Resources {
  return {
    listeners: discovery('listeners', [egressListener(inputs)]),
    routes: discovery('routes', [routeConfiguration(inputs, [null])]),
    clusters: discovery('clusters', remoteClusters(inputs)),
    secrets: discovery('secrets', [{ name: names.trustSecret, ...trustOf(inputs) }]),
  };
}
