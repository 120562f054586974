import { readFileSync } from 'node:fs';

const file = new URL('../../envoy/gateway.json', import.meta.url);

/** Envoy's bootstrap: constant but for the two Unix sockets by which it is reached and reaches weir. */
export function bootstrap(sockets: { admin: string; xds: string }): string {
  const text = readFileSync(file, 'utf8')
    .replace('"${ADMIN_SOCKET}"', JSON.stringify(sockets.admin))
    .replace('"${XDS_SOCKET}"', JSON.stringify(sockets.xds));
  return JSON.stringify(JSON.parse(text));
}
