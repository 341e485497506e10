/**
 * Finds the bundled file of a worker thread.
 *
 * Workers run from `dist/` in the server and in tests alike, so what is tested is what is shipped.
 * `scripts/build.mjs` bundles every `*.worker.ts` under `src/`; its file name is its name.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/**
 * @param name File name without `.worker.ts`, such as `seal-segment`.
 * @throws Error when the build is missing.
 */
export function workerUrl(name: string): URL {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`no package.json above ${import.meta.url}`);
    folder = parent;
  }
  const path = join(folder, 'dist', `${name}.worker.js`);
  if (!existsSync(path)) throw new Error(`worker \`${name}\` is not built; run \`npm run build\``);
  return pathToFileURL(path);
}
