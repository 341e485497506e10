/**
 * Temporary keys. All that is known of one lies sealed in its token, which its holder sends with each call; nothing is kept here.
 *
 * A token is bound to its key id: with another one it opens to nothing. It holds the secret, so whoever has the token alone can sign
 * nothing, and whoever has the master key can read it.
 * Relies on `Keys.wrap`. What holds for the session now (its role, its user, its policies) is looked up at each call.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { PrincipalSession } from '../api/operation.ts';
import type { AccountId, EpochMs } from '../event/types.ts';
import type { Keys } from '../store/keys.ts';

/** Whose keys they are. */
export type SessionOwner =
  | { readonly kind: 'root' }
  /** The id tells a user that was made again under the same name from the one before. */
  | { readonly kind: 'user'; readonly name: string; readonly id: string }
  | { readonly kind: 'role'; readonly name: string; readonly id: string; readonly sessionName: string };

export interface SessionClaims extends Omit<PrincipalSession, 'role'> {
  readonly account: AccountId;
  readonly owner: SessionOwner;
  readonly secretAccessKey: string;
  /** By the real time, as signatures are held against. */
  readonly expiresAtMs: EpochMs;
}

/** Longest token that is looked at: clients send it in a header. */
const TOKEN_LENGTH_MAX = 12_000;
/** Largest claims, unpacked. */
const CLAIMS_BYTES_MAX = 32_768;

export async function sealSession(keys: Pick<Keys, 'wrap'>, accessKeyId: string, claims: SessionClaims): Promise<string> {
  const sealed = await keys.wrap(deflateRawSync(JSON.stringify(claims)), contextOf(accessKeyId));
  return Buffer.from(sealed).toString('base64');
}

/** What lies in an untrusted token; `undefined` when we did not make it for this key. */
export async function openSession(keys: Pick<Keys, 'unwrap'>, accessKeyId: string, token: string): Promise<SessionClaims | undefined> {
  if (token.length > TOKEN_LENGTH_MAX || !/^[A-Za-z0-9+/]+={0,2}$/.test(token)) return undefined;
  let packed: Uint8Array;
  try {
    packed = await keys.unwrap(Buffer.from(token, 'base64'), contextOf(accessKeyId));
  } catch {
    // Whatever is wrong with it, it is no token of ours.
    return undefined;
  }
  return JSON.parse(inflateRawSync(packed, { maxOutputLength: CLAIMS_BYTES_MAX }).toString('utf8')) as SessionClaims;
}

/** How full the part of a token is that callers fill with policies and tags, in percent; above 100 it is refused. */
export function packedSize(callersPart: object): number {
  const text = Buffer.from(JSON.stringify(callersPart));
  const share = Math.max(deflateRawSync(text).length / CALLERS_BYTES_MAX, text.length / UNPACKED_BYTES_MAX);
  return Math.ceil(share * 100);
}

/** Leaves room in the header for the rest. */
const CALLERS_BYTES_MAX = 4_096;
/** Leaves room in the claims, where the keys of tags may stand twice: what packs well must be opened, too. */
const UNPACKED_BYTES_MAX = 14_000;

function contextOf(accessKeyId: string): string {
  return `session/${accessKeyId}`;
}
