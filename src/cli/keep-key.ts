/**
 * Keeps a new account's key beside the others of a data directory, so that `--account` finds it.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface AccessKey {
  readonly Account: string;
  readonly AccessKeyId: string;
  readonly SecretAccessKey: string;
}

/**
 * Writes the key so that only its owner can read it. An account keeps its first one.
 * @returns the file; `undefined` when a key of the account is kept already.
 */
export async function keepKey(dataDir: string, key: AccessKey): Promise<string | undefined> {
  const folder = join(dataDir, 'access-keys');
  const path = join(folder, `${key.Account}.json`);
  const text = JSON.stringify({ account: key.Account, accessKeyId: key.AccessKeyId, secretAccessKey: key.SecretAccessKey }, undefined, 2);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    await writeFile(path, `${text}\n`, { mode: 0o600, flag: 'wx' });
    return path;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
    throw error;
  }
}
