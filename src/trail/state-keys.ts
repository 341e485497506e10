/**
 * Puts the public keys in use where a trail's receipts are, and states each of them that can sign in a receipt: so a reader who
 * goes through the receipts in order knows each key before it is used.
 *
 * Source: reliability.md P12, F36.
 */
import type { PublicKeyInfo, SigningKeyUse } from '../store/keys.ts';
import { announceMark, KEYS_ABLE, thoseWhoCanSign } from './announce-step.ts';
import { encodeKeyFile, keyFileKey, keyFilePlace } from './key-file.ts';
import { putObject } from './put-object.ts';
import type { FindKeyStatement } from './trail-deps.ts';
import { putDepsOf, requireOpenBucket, type TrailStep } from './trail-step.ts';

/** Statements in the key file of a checkpoint key: its own and those of the keys before it. Readers take no more. */
const KEY_STATEMENTS_MAX = 400;

/**
 * Does one piece of it: a file, or a receipt.
 * @returns false when there was nothing to do.
 */
export async function stateKeys(step: TrailStep): Promise<boolean> {
  const { id, deps, state, target } = step;
  const uses: readonly SigningKeyUse[] = state.settings.validates ? ['checkpoint', 'digest'] : ['checkpoint'];
  for (const use of uses) {
    const keys = await deps.keys.list(use);
    const { index, isStated } = keyToState(keys, use, state.statedKeys[use]);
    const key = keys[index]!;
    const place = keyFilePlace(id, target, key);
    if (isStated && state.keyFiles[use] === place) continue;
    const statements = use === 'checkpoint' ? await statementsUpTo(deps.keyStatement, keys, index) : [];
    // A key that is being made is stated as soon as the journal states it.
    if (statements === undefined) continue;
    // The file comes first: it says who vouches for the key of the receipt.
    if (state.keyFiles[use] !== place) await putKeyFile(step, key, statements);
    else await stateKey(step, key, keys[index - 1]);
    return true;
  }
  return false;
}

/**
 * The key that is to be stated next, or whose file is to be there.
 * @param keys Of one use, oldest first; not empty.
 * @param stated Fingerprint of the key that was stated last; `null` before the first.
 */
export function keyToState(
  keys: readonly Pick<PublicKeyInfo, 'fingerprint'>[],
  use: SigningKeyUse,
  stated: string | null,
): { readonly index: number; readonly isStated: boolean } {
  const newest = keys.length - 1;
  const last = keys.findIndex(({ fingerprint }) => fingerprint === stated);
  if (last < 0 || last === newest) return { index: newest, isStated: last === newest };
  // A checkpoint key that was replaced twice by now can sign nothing, not even that it was there: it is passed over.
  const oldestAble = use === 'checkpoint' ? keys.length - KEYS_ABLE : 0;
  return { index: Math.max(last + 1, oldestAble), isStated: false };
}

/** Puts a key's public half where the receipts are. */
async function putKeyFile(step: TrailStep, key: PublicKeyInfo, statements: readonly string[]): Promise<void> {
  const { id, deps, saved, state, target } = step;
  await requireOpenBucket(step, target);
  const body = encodeKeyFile(key, statements, deps.origin);
  const options = { contentType: 'application/json' };
  await putObject(putDepsOf(step), { bucket: target.bucket, key: keyFileKey(id, target, key), body, options });
  await saved.save({ state: { ...state, keyFiles: { ...state.keyFiles, [key.use]: keyFilePlace(id, target, key) } } });
}

async function stateKey(step: TrailStep, key: PublicKeyInfo, previous: PublicKeyInfo | undefined): Promise<void> {
  const { deps, state } = step;
  const { use, fingerprint, publicKey } = key;
  const stated = { use, fingerprint, publicKey, previousFingerprint: previous?.fingerprint ?? null };
  const signers = use === 'digest' ? undefined : await thoseWhoCanSign(deps.keys, [previous?.fingerprint, fingerprint]);
  await announceMark(step, { kind: 'key', key: stated }, { becomes: { statedKeys: { ...state.statedKeys, [use]: fingerprint } } }, signers);
}

/**
 * What the journal says of a checkpoint key and of those before it, oldest first: a reader who knows any of them comes
 * to this one. The first key needs no word of another. `undefined` while the key itself is not stated yet.
 */
async function statementsUpTo(
  find: FindKeyStatement,
  keys: readonly PublicKeyInfo[],
  index: number,
): Promise<readonly string[] | undefined> {
  const notes: string[] = [];
  for (const key of keys.slice(Math.max(1, index + 1 - KEY_STATEMENTS_MAX), index + 1)) {
    const found = await find(key);
    if (found.kind === 'unstated' && key === keys[index]) return undefined;
    if (found.kind === 'stated') notes.push(found.note);
  }
  return notes;
}
