import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import type { Address } from '../config/schema.ts';

/** Whether a TCP port can be listened on. */
export function isFree({ host, port }: Address): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
      .once('error', () => resolve(false))
      .listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** How many ports after a default one are tried. */
const tries = 100;
/** Below those that systems give to outgoing connections (Linux from 32,768 on): one that is free stays so. */
const anyPorts = { from: 20_000, to: 32_000 };

/** A port that is free, somewhere. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (let tried = 0; tried < tries; tried++) {
    const port = randomInt(anyPorts.from, anyPorts.to);
    if (await isFree({ host, port })) return port;
  }
  throw new Error(`no port of ${host} is free`);
}

/**
 * Where to listen: a configured address as it is, or an error that names it when it is taken; a
 * default one moves on to the next free port. Addresses in `taken` count as taken.
 */
export async function chooseAddress(
  name: string,
  address: Address,
  options: { configured: boolean; taken: ReadonlySet<number> },
): Promise<Address> {
  const { host } = address;
  if (address.port === 0) return { host, port: await freePort(host) };
  for (let port = address.port; port < address.port + tries && port <= 65_535; port++) {
    if (!options.taken.has(port) && (await isFree({ host, port }))) return { host, port };
    if (options.configured) break;
  }
  const variable = `WEIR_${name.toUpperCase().replaceAll('.', '_')}`;
  throw new Error(
    `${name}: ${host}:${address.port} is taken by another program: choose another in weir.yaml or by ${variable}`,
  );
}
