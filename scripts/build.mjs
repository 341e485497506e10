/**
 * Bundles the server, the command line, the workers and the task processes from `src/` into `dist/`.
 *
 * Our own code is bundled (one file opens faster than a hundred); packages stay outside, as npm installed them.
 * Types are not checked here: `npm run check` does that.
 */
import { readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { build } from 'esbuild';

const beside = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((path) => /\.(worker|process)\.ts$/.test(path));

await rm('dist', { recursive: true, force: true });
await build({
  entryPoints: {
    cli: 'src/cli/main.ts',
    // The verifier alone: needs nothing of the server (reliability.md P25).
    verify: 'src/verify/main.ts',
    // These are found by their file names alone: see `src/store/built-file.ts`.
    ...Object.fromEntries(beside.map((path) => [path.split('/').at(-1).replace(/\.ts$/, ''), `src/${path}`])),
  },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  target: 'node20',
  sourcemap: 'linked',
  logLevel: 'warning',
});
