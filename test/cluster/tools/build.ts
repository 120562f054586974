// Builds the programs of a real Kubernetes API from source, once: they are fetched through the Go module proxy.
// `node test/cluster/tools/build.ts` prints the directory they are in.
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheDirectory } from '../../../src/local/envoy-binary.mjs';

const module = fileURLToPath(new URL('.', import.meta.url));
const go = (...args: string[]) => execFileSync('go', args, { cwd: module, encoding: 'utf8' }).trim();

/** The directory of the binaries. About ten minutes on two cores the first time, nothing after. */
export async function buildTools(): Promise<string> {
  const sources = ['go.mod', 'go.sum'].map((name) => readFileSync(join(module, name)));
  const key = createHash('sha256');
  for (const part of [...sources, go('env', 'GOVERSION', 'GOARCH')]) key.update(part);
  const cache = join(cacheDirectory(process.env), 'cluster-tools');
  const directory = join(cache, key.digest('hex').slice(0, 16));
  if (existsSync(directory)) return directory;

  const unfinished = `${directory}.unfinished`;
  mkdirSync(unfinished, { recursive: true });
  process.stderr.write('building kube-apiserver, etcd, Helm and their like (once, about ten minutes) …\n');
  const [, version = ''] =
    /k8s\.io\/kubernetes (v[\d.]+)/.exec(readFileSync(join(module, 'go.mod'), 'utf8')) ?? [];
  // Without them the server calls itself v0.0.0, which the chart's kubeVersion refuses.
  const versions = ['k8s.io/component-base', 'k8s.io/client-go/pkg'].map(
    (path) => `-X ${path}/version.gitVersion=${version}`,
  );
  await compile(['-trimpath', `-ldflags=-s -w ${versions.join(' ')}`, '-o', `${unfinished}/`, 'tool'], {
    // Four gigabytes that nobody needs again.
    GOCACHE: join(cache, 'go-build'),
    CGO_ENABLED: '0',
    GOFLAGS: `-buildvcs=false -mod=readonly -p=${process.env.WEIR_TEST_GO_JOBS ?? 2}`,
  });
  // Named after the last part of its import path, which is a version.
  renameSync(join(unfinished, 'server'), join(unfinished, 'etcd'));
  writeFileSync(join(unfinished, 'kwok-stages.yaml'), kwokStages());
  renameSync(unfinished, directory);
  rmSync(join(cache, 'go-build'), { recursive: true, force: true });
  return directory;
}

function compile(args: string[], env: Record<string, string>): Promise<void> {
  return new Promise((resolve, reject) => {
    const build = spawn('go', ['build', ...args], {
      cwd: module,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...env },
    });
    build.on('error', reject);
    build.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`go build ended with ${code}`))));
  });
}

/** How kwok lets nodes and pods live: it knows nothing by itself. */
function kwokStages(): string {
  const from = join(go('list', '-m', '-f', '{{.Dir}}', 'sigs.k8s.io/kwok'), 'kustomize', 'stage');
  return globSync(['node/fast/*.yaml', 'pod/fast/*.yaml'], { cwd: from })
    .filter((file) => basename(file) !== 'kustomization.yaml')
    .sort()
    .map((file) => `---\n${readFileSync(join(from, file), 'utf8')}`)
    .join('');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(`${await buildTools()}\n`);
