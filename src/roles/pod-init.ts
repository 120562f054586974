import { podSettings, preparePod } from '../pod/prepare.ts';
import type { Role } from './run.ts';

/** `weir pod-init`: prepares a pod for its sidecar; the injector puts it there. */
export const podInit: Role = async ({ log, options }) => {
  const settings = podSettings.parse(JSON.parse(options.settings ?? ''));
  const tables = await preparePod(settings);
  log.info({ tables, ports: settings.ports, to: settings.interceptPort }, 'connections are redirected');
  return undefined;
};
