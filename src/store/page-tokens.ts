/**
 * Page tokens: where the next page of a list begins, sealed so that nobody can read, change or move it.
 *
 * A token is AES-256-GCM over the place in the order, with the caller, the operation and all other parameters as associated data: a
 * token of another caller, another account or Region, another operation or other filters doesn't open (A13). Restarts don't break it;
 * nothing about it is stored.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Call } from '../api/operation.ts';
import type { JsonObject } from '../event/types.ts';
import type { Chance } from './clock.ts';
import type { Keys } from './keys.ts';

/** What a token is bound to beside the caller. */
export interface PageRequest {
  /** Such as `kms:ListKeys`: services have operations of one name. */
  readonly operation: string;
  /** Every parameter but the token itself, and those that may change from page to page, as JSON values. */
  readonly parameters: JsonObject;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Longer text is not a token of ours and is not decoded. */
const TOKEN_LENGTH_MAX = 1_000;

/** Seals and opens tokens. */
export class PageTokens {
  readonly #key: () => Promise<Uint8Array>;
  readonly #chance: Pick<Chance, 'bytes'>;

  constructor(keys: Pick<Keys, 'derive'>, chance: Pick<Chance, 'bytes'>) {
    let key: Promise<Uint8Array> | undefined;
    this.#key = () => {
      key ??= keys.derive('page tokens');
      return key;
    };
    this.#chance = chance;
  }

  /** @param place At most 700 bytes, or the token is too long to be taken back. */
  async seal(call: Call, request: PageRequest, place: string): Promise<string> {
    const nonce = this.#chance.bytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', await this.#key(), nonce);
    cipher.setAAD(bindingOf(call, request));
    return Buffer.concat([nonce, cipher.update(place, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64url');
  }

  /** The place of an untrusted token; `undefined` when it was not sealed for just this request. */
  async open(call: Call, request: PageRequest, token: string): Promise<string | undefined> {
    if (token.length > TOKEN_LENGTH_MAX) return undefined;
    const bytes = Buffer.from(token, 'base64url');
    // Decoding forgives stray characters; only the text that was given out is taken.
    if (bytes.length <= NONCE_BYTES + TAG_BYTES || bytes.toString('base64url') !== token) return undefined;
    const decipher = createDecipheriv('aes-256-gcm', await this.#key(), bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAAD(bindingOf(call, request));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    try {
      return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]).toString('utf8');
    } catch {
      return undefined;
    }
  }
}

function bindingOf(call: Call, { operation, parameters }: PageRequest): Uint8Array {
  const sorted = Object.entries(parameters)
    .filter(([, value]) => value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return Buffer.from(JSON.stringify([operation, call.principal.arn, call.account, call.region, sorted]));
}
