// Runs before `npm start`, `npm test` and their like: installs what is missing, once. Plain JavaScript
// without dependencies, for the oldest Node that weir starts with.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findEnvoy } from './envoy-binary.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const modules = join(root, 'node_modules');
const stamp = join(modules, '.package-lock.json');
const say = (line) => console.error(`weir: ${line}`);

function isCurrent() {
  return existsSync(stamp) && statSync(stamp).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs;
}

/** Two that start at once: the second waits for the first. */
async function withLock(work) {
  const lock = join(root, '.setup-lock');
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      if (!ownerLives(lock)) rmSync(lock, { recursive: true, force: true });
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  try {
    writeFileSync(join(lock, 'pid'), String(process.pid));
    return await work();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

function ownerLives(lock) {
  try {
    process.kill(Number(readFileSync(join(lock, 'pid'), 'utf8')), 0);
    return true;
  } catch (error) {
    // No pid yet: it has just been made, unless it is old.
    if (error.code === 'ENOENT') return existsSync(lock) && Date.now() - statSync(lock).mtimeMs < 5_000;
    return error.code === 'EPERM';
  }
}

async function installPackages() {
  if (isCurrent()) return;
  say('installing packages (once) …');
  const args = ['ci', '--loglevel=error', '--no-fund', '--no-audit'];
  const code = await new Promise((resolve, reject) => {
    const npm = spawn('npm', args, {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
      shell: process.platform === 'win32',
    });
    npm.on('error', reject);
    npm.on('close', resolve);
  });
  if (code !== 0)
    throw new Error('npm ci failed: see above; weir needs npm 9 or later and a package registry');
  const now = new Date();
  utimesSync(stamp, now, now);
}

/** The package `node` brings the Node that runs TypeScript; its install script may have been kept from running. */
function checkNode() {
  const node = join(modules, '.bin', 'node');
  let version = '';
  try {
    version = execFileSync(node, ['--version'], { encoding: 'utf8', timeout: 20_000 }).trim();
  } catch {
    // Said below.
  }
  if (!/^v(2[4-9]|[3-9]\d)\./.test(version)) {
    throw new Error(
      'Node 24 is missing in node_modules: allow install scripts (npm config set ignore-scripts false), remove node_modules, and start again',
    );
  }
}

try {
  await withLock(installPackages);
  checkNode();
  await findEnvoy({ env: process.env, say });
} catch (error) {
  say(error.message);
  process.exit(1);
}
