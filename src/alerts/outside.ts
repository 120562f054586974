import { lookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { Agent, request } from 'undici';

const timeoutMs = 10_000;
/** So much of an answer is kept for the log. */
const maxAnswerChars = 200;

/** Addresses that are not of the public internet (IANA special-purpose registries). */
const inner = new BlockList();
for (const [net, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const)
  inner.addSubnet(net, prefix, 'ipv4');
for (const [net, prefix] of [
  ['::', 127],
  ['64:ff9b::', 96],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
] as const)
  inner.addSubnet(net, prefix, 'ipv6');

export function isPrivate(address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  const plain = mapped ?? address;
  return inner.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4');
}

const refuse = (host: string) =>
  new Error(`${host} is a private address: set alerts.allow_private to post there`);

/** Names are looked at when they have become addresses, so that a name cannot change between check and use. */
const lookupPublic: LookupFunction = (host, options, callback) => {
  lookup(host, { ...options, all: true }, (error, addresses) => {
    if (error) return callback(error, '', 0);
    if (addresses.some(({ address }) => isPrivate(address))) return callback(refuse(host), '', 0);
    if (options.all) return callback(null, addresses);
    const [first] = addresses;
    callback(null, first?.address ?? '', first?.family ?? 0);
  });
};

/** Posts JSON to places outside; private addresses are refused unless they are allowed. */
export function createOutside({ allowPrivate }: { allowPrivate: boolean }) {
  const dispatcher = new Agent({
    connect: { timeout: timeoutMs, ...(!allowPrivate && { lookup: lookupPublic }) },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });
  return {
    /** Throws unless the answer is 2xx; redirects are not followed. */
    async post(url: string, body: string, headers: Record<string, string> = {}): Promise<void> {
      const { hostname } = new URL(url);
      const host = hostname.replace(/^\[|\]$/g, '');
      if (!allowPrivate && isIP(host) !== 0 && isPrivate(host)) throw refuse(host);
      const response = await request(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body,
        dispatcher,
        signal: AbortSignal.timeout(2 * timeoutMs),
      });
      const answer = await response.body.text();
      if (response.statusCode < 200 || response.statusCode > 299)
        throw new Error(`${host} answered ${response.statusCode}: ${answer.slice(0, maxAnswerChars)}`);
    },
    close: () => dispatcher.close(),
  };
}
