import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** The longest path of a Unix socket that Linux (107) and macOS (103) take. */
const maxSocketPath = 103;

/** Where everything lies that one weir keeps on one machine. */
export interface DataPaths {
  root: string;
  keys: string;
  /** What secrets are sealed with, unless the config brings it. */
  sealKeys: string;
  /** What processors knew last of callers and policies, sealed. */
  identity: string;
  bootstrap: string;
  roots: string;
  postgres: string;
  /** Unix sockets, and what runs. */
  run: string;
  /** Where the API of a weir that runs here listens. */
  apiAddress: string;
  sockets: {
    xds: string;
    admin: string;
    processor: (index: number) => string;
    relay: (index: number) => string;
  };
  journal: string;
}

/** `data` as given, relative to `cwd`. Sockets move to a short directory when their paths would be too long. */
export function dataPaths(data: string, cwd: string): DataPaths {
  const root = resolve(cwd, data);
  const run = join(root, 'run');
  const longest = join(run, 'processor-00.sock');
  const sockets =
    Buffer.byteLength(longest) <= maxSocketPath
      ? run
      : join(tmpdir(), `weir-${createHash('sha256').update(root).digest('hex').slice(0, 16)}`);
  return {
    root,
    keys: join(root, 'keys.json'),
    sealKeys: join(root, 'seal.json'),
    identity: join(root, 'identity.sealed'),
    bootstrap: join(root, 'envoy.json'),
    roots: join(root, 'roots.pem'),
    postgres: join(root, 'postgres'),
    run: sockets === run ? run : sockets,
    apiAddress: join(root, 'api-address'),
    sockets: {
      xds: join(sockets, 'xds.sock'),
      admin: join(sockets, 'admin.sock'),
      processor: (index) => join(sockets, `processor-${index}.sock`),
      relay: (index) => join(sockets, `relay-${index}.sock`),
    },
    journal: join(root, 'journal'),
  };
}
