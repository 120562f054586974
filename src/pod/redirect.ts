import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const timeoutMs = 20_000;

/** What is redirected in the network namespace of a pod. */
export interface Redirect {
  /** Destination ports of connections that the proxy gets. */
  ports: readonly number[];
  /** Where the proxy listens. */
  to: number;
  /** Who is let go: the proxy itself, and those of other meshes, or connections would go round in circles. */
  uids: readonly number[];
  /** Destinations that are let go, of either family. */
  excluded: readonly string[];
}

const chain = 'WEIR_OUTPUT';

/**
 * The rules for one family, in the form of `iptables-restore --noflush`: all of them at once or none. Written
 * twice they are there once. The chain is entered first: before those of Istio and Linkerd.
 */
export function rules(redirect: Redirect, family: 4 | 6): string {
  const loopback = family === 4 ? '127.0.0.0/8' : '::1/128';
  const own = redirect.excluded.filter((cidr) => cidr.includes(':') === (family === 6));
  const ports = redirect.ports.join(',');
  return [
    '*nat',
    `:${chain} - [0:0]`,
    ...redirect.uids.map((uid) => `-A ${chain} -m owner --uid-owner ${uid} -j RETURN`),
    `-A ${chain} -o lo -j RETURN`,
    ...[loopback, ...own].map((cidr) => `-A ${chain} -d ${cidr} -j RETURN`),
    `-A ${chain} -p tcp -m multiport --dports ${ports} -j REDIRECT --to-ports ${redirect.to}`,
    `-I OUTPUT 1 -p tcp -j ${chain}`,
    'COMMIT',
    '',
  ].join('\n');
}

/** Writes the rules. Resolves to the tables they are in; rejects when IPv4 has none. */
export async function redirectConnections(redirect: Redirect): Promise<string[]> {
  const written: string[] = [];
  for (const family of [4, 6] as const) {
    const program = await chooseProgram(family);
    if (program === null) continue;
    const ip = family === 4 ? 'iptables' : 'ip6tables';
    // What an earlier start of this pod has left: the init container may run again.
    while (
      await succeeds(`${ip}-${program}`, ['-w', '5', '-t', 'nat', '-D', 'OUTPUT', '-p', 'tcp', '-j', chain])
    );
    await restore(`${ip}-${program}-restore`, rules(redirect, family));
    written.push(`${ip}-${program}`);
  }
  if (!written.some((name) => name.startsWith('iptables')))
    throw new Error(
      'iptables cannot write to the nat table here: has the init container NET_ADMIN, and the node iptable_nat or nf_tables?',
    );
  return written;
}

/** Whichever the namespace uses already, or what the kernel knows: nf_tables first. null: neither. */
async function chooseProgram(family: 4 | 6): Promise<'nft' | 'legacy' | null> {
  const ip = family === 4 ? 'iptables' : 'ip6tables';
  const found: { program: 'nft' | 'legacy'; rules: number }[] = [];
  for (const program of ['nft', 'legacy'] as const) {
    const listed = await run(`${ip}-${program}`, ['-w', '5', '-t', 'nat', '-S'], {
      timeout: timeoutMs,
    }).catch(() => null);
    if (listed)
      found.push({
        program,
        rules: listed.stdout.split('\n').filter((line) => line.startsWith('-A')).length,
      });
  }
  return found.toSorted((a, b) => b.rules - a.rules)[0]?.program ?? null;
}

async function succeeds(command: string, args: string[]): Promise<boolean> {
  return run(command, args, { timeout: timeoutMs }).then(
    () => true,
    () => false,
  );
}

function restore(command: string, input: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      command,
      ['-w', '5', '--noflush'],
      { timeout: timeoutMs },
      (error, _stdout, stderr) =>
        error ? reject(new Error(`${command}: ${stderr.trim() || error.message}`)) : resolve(),
    );
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}
