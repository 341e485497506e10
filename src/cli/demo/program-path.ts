import { relative } from 'node:path';

/**
 * How to call this program from a folder: by its path, or by `npx` where a package manager has put it.
 *
 * @param path The program that runs, absolute.
 */
export function programPath(path: string, from: string): string {
  return path.split('/').includes('node_modules') ? 'npx snowtrail' : relative(from, path);
}
