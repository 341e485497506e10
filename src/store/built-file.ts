/**
 * Finds what the server runs beside its own thread: the bundled file of a worker thread or of a task process.
 *
 * They run from `dist/` in the server and in tests alike, so what is tested is what is shipped. `scripts/build.mjs` bundles every
 * `*.worker.ts` and `*.process.ts` under `src/`; its file name is its name.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * @param name File name without `.ts`, such as `seal-segment.process`.
 * @returns the path of the built file.
 * @throws Error when the build is missing.
 */
export function builtFile(name: string): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`no package.json above ${import.meta.url}`);
    folder = parent;
  }
  const path = join(folder, 'dist', `${name}.js`);
  if (!existsSync(path)) throw new Error(`\`${name}\` is not built; run \`npm run build\``);
  return path;
}
