/**
 * Page tokens: where the next page begins, sealed so that nobody can read, change or move it.
 *
 * A token is AES-256-GCM over the place in the order and the newest sequence at page 1, with the caller, the operation
 * and all other parameters as associated data: a token of another caller, another account or Region, another operation or
 * other filters doesn't open (A13). It names no run of the index, so merges and restarts don't break it; nothing about it
 * is stored.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Call } from '../api/operation.ts';
import type { JsonObject } from '../event/types.ts';
import type { Chance } from '../store/clock.ts';
import type { HistoryPosition } from '../store/history-index.ts';
import type { Keys } from '../store/keys.ts';

/** What a token says. */
export interface PagePlace {
  /** The last row that was looked at. */
  readonly after: HistoryPosition;
  /** Newest sequence when page 1 was made: what came in later doesn't slip into later pages. */
  readonly sequenceMax: bigint;
}

/** What a token is bound to beside the caller. */
export interface PageRequest {
  readonly operation: string;
  /** Every parameter but the token itself, as JSON values. */
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
      key ??= keys.derive('history page tokens');
      return key;
    };
    this.#chance = chance;
  }

  async seal(call: Call, request: PageRequest, place: PagePlace): Promise<string> {
    const nonce = this.#chance.bytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', await this.#key(), nonce);
    cipher.setAAD(bindingOf(call, request));
    const text = [place.after.timeMs, place.after.sequence, place.sequenceMax].join(' ');
    return Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64url');
  }

  /** The place of an untrusted token; `undefined` when it was not sealed for just this request. */
  async open(call: Call, request: PageRequest, token: string): Promise<PagePlace | undefined> {
    if (token.length > TOKEN_LENGTH_MAX) return undefined;
    const bytes = Buffer.from(token, 'base64url');
    // Decoding forgives stray characters; only the text that was given out is taken.
    if (bytes.length <= NONCE_BYTES + TAG_BYTES || bytes.toString('base64url') !== token) return undefined;
    const decipher = createDecipheriv('aes-256-gcm', await this.#key(), bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAAD(bindingOf(call, request));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    let text: string;
    try {
      text = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]).toString('utf8');
    } catch {
      return undefined;
    }
    const [timeMs, sequence, sequenceMax] = text.split(' ') as [string, string, string];
    return { after: { timeMs: Number(timeMs), sequence: BigInt(sequence) }, sequenceMax: BigInt(sequenceMax) };
  }
}

function bindingOf(call: Call, { operation, parameters }: PageRequest): Uint8Array {
  const sorted = Object.entries(parameters)
    .filter(([, value]) => value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return Buffer.from(JSON.stringify([operation, call.principal.arn, call.account, call.region, sorted]));
}
