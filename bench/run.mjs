/**
 * Bundles a benchmark with esbuild and runs it: `node bench/run.mjs lookup [arguments]`.
 *
 * Node 20 runs no TypeScript by itself. Packages stay outside the bundle; the bundle lies below `node_modules/`, where
 * they are found, and is deleted afterwards. Workers run from `dist/` as in the server, bundled anew from the present source.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [name, ...rest] = process.argv.slice(2);
const source = join(root, 'bench', `${name}.ts`);
if (name === undefined || !existsSync(source)) {
  const known = readdirSync(join(root, 'bench')).filter((file) => file.endsWith('.ts'));
  console.error(`usage: node bench/run.mjs NAME; expected one of ${known.map((file) => file.replace(/\.ts$/, '')).join(', ')}`);
  process.exit(64);
}

const common = { bundle: true, packages: 'external', platform: 'node', format: 'esm', target: 'node20', logLevel: 'warning' };
const cache = join(root, 'node_modules', '.cache');
mkdirSync(cache, { recursive: true });
const folder = mkdtempSync(join(cache, 'bench-'));
try {
  const workers = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.worker.ts'));
  await build({
    ...common,
    entryPoints: Object.fromEntries(workers.map((path) => [path.split('/').at(-1).replace(/\.ts$/, ''), join(root, 'src', path)])),
    outdir: join(root, 'dist'),
  });
  await build({ ...common, entryPoints: [source], outfile: join(folder, 'bench.mjs') });
  process.exitCode = await new Promise((resolve) => {
    const child = spawn(process.execPath, ['--expose-gc', join(folder, 'bench.mjs'), ...rest], { stdio: 'inherit', cwd: root });
    child.once('exit', (code) => resolve(code ?? 1));
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
