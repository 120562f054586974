import type { InjectContext } from './inject.ts';
import type { Pod } from './pod.ts';

const otherWay =
  'set the annotation weir.dev/mode: env on the pod, which sets base URLs that point to the gateway and needs no rights';

/** Why a pod cannot have a sidecar, and the way out; null: it can. */
export function refusal(pod: Pod, { config, namespaceLabels }: InjectContext): string | null {
  if (pod.spec.hostNetwork) {
    return `weir: a pod with hostNetwork shares the network of its node, whose connections must not be redirected: label it weir.dev/inject: disabled, or ${otherWay}`;
  }
  const all = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  const same = all.find(({ securityContext }) => securityContext?.runAsUser === config.uid);
  if (same || pod.spec.securityContext?.runAsUser === config.uid) {
    return `weir: ${same ? `container ${same.name}` : 'the pod'} runs as user ${config.uid}, which is weir's sidecar's own: its connections would go out unread. Choose another runAsUser, or another kubernetes.uid for weir`;
  }
  const level = namespaceLabels['pod-security.kubernetes.io/enforce'];
  if (level === 'restricted' || level === 'baseline') {
    return `weir: this namespace enforces the Pod Security level ${level}, which forbids NET_ADMIN to the init container that redirects connections: ${otherWay}`;
  }
  return null;
}
