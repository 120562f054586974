import { isIP } from 'node:net';
import type { Address, Config } from './schema.ts';

/** Where this machine reaches what listens there: an address that stands for all of them cannot be called. */
export function localUrl({ host, port }: Address): string {
  const called = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${formatAddress({ host: called, port })}`;
}

/** `host:port`, an IPv6 host in brackets. */
export function formatAddress({ host, port }: Address): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** `ip:port` by which Envoys elsewhere meet this very processor; null: its config does not tell. */
export function meetingAddress({ listen, address }: Config['processor']): string | null {
  if (listen === 'unix') return null;
  const isOne = isIP(listen.host) !== 0 && listen.host !== '0.0.0.0' && listen.host !== '::';
  const host = address ?? (isOne ? listen.host : null);
  return host === null ? null : formatAddress({ host, port: listen.port });
}
