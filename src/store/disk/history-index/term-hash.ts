/**
 * The keyed hash that stands for a term in the index: 48 bits of (scope, attribute, value).
 *
 * It is SipHash's construction on 32-bit words (HalfSipHash-1-3) over UTF-16 code units, seeded with 128 bits of key:
 * fast in JavaScript, and a sender of events who doesn't know the key cannot make values collide on purpose. A
 * collision costs a look at one event too many; it never gives a wrong answer, because callers compare the value.
 *
 * Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF"; the layout is in `docs/formats/history.md`.
 */
import type { HistoryAttribute, HistoryScope } from '../../history-index.ts';

/** A hash: `bucket` are its upper 16 bits, `fingerprint` its lower 32. */
export interface TermHash {
  readonly bucket: number;
  readonly fingerprint: number;
}

/** The hash state after (scope, attribute): values of the same attribute begin from it. */
export type TermPrefix = Int32Array;

/** Hashes terms. Holds the key and the last result; not shared between threads. */
export class TermHasher {
  /** Upper 16 bits of the last hash. Written by `hash`. */
  bucket = 0;
  /** Lower 32 bits of the last hash, unsigned. Written by `hash`. */
  fingerprint = 0;
  readonly #initial: Int32Array;
  readonly #prefixes = new Map<string, Map<HistoryAttribute, TermPrefix>>();

  /** @param key 32 secret bytes; the first 16 are used. */
  constructor(key: Uint8Array) {
    if (key.length !== 32) throw new RangeError(`a term key has 32 bytes, not ${key.length}`);
    const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
    this.#initial = Int32Array.of(
      view.getInt32(0, true) ^ 0x736e6f77,
      view.getInt32(4, true) ^ 0x74726169,
      view.getInt32(8, true) ^ 0x6c796765,
      view.getInt32(12, true) ^ 0x74656462,
    );
  }

  /** The states of a scope's attributes, made when they are first asked for. */
  prefix(scope: HistoryScope, attribute: HistoryAttribute): TermPrefix {
    const scopeText = scopeKey(scope);
    let ofScope = this.#prefixes.get(scopeText);
    if (ofScope === undefined) {
      ofScope = new Map();
      this.#prefixes.set(scopeText, ofScope);
    }
    let prefix = ofScope.get(attribute);
    if (prefix === undefined) {
      prefix = Int32Array.from(this.#initial);
      absorb(prefix, scopeText);
      absorb(prefix, attribute);
      ofScope.set(attribute, prefix);
    }
    return prefix;
  }

  /** Hashes `value` from `prefix` into `bucket` and `fingerprint`. */
  hash(prefix: TermPrefix, value: string): void {
    const state = this.#scratch;
    state[0] = prefix[0]!;
    state[1] = prefix[1]!;
    state[2] = prefix[2]!;
    state[3] = prefix[3]!;
    absorb(state, value);
    state[2]! ^= 0xee;
    rounds(state, 3);
    this.fingerprint = (state[1]! ^ state[3]!) >>> 0;
    state[1]! ^= 0xdd;
    rounds(state, 3);
    this.bucket = (state[1]! ^ state[3]!) & 0xffff;
  }

  readonly #scratch = new Int32Array(4);

  /** The hash of one term as a value of its own. */
  termHash(scope: HistoryScope, attribute: HistoryAttribute, value: string): TermHash {
    this.hash(this.prefix(scope, attribute), value);
    return { bucket: this.bucket, fingerprint: this.fingerprint };
  }

  /** Says whether an index was made with this key, without telling the key. */
  keyCheck(): string {
    const state = Int32Array.from(this.#initial);
    absorb(state, 'key check');
    rounds(state, 8);
    return Array.from(state, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  }
}

/** The text that names a scope: in the hash, in runs and in maps. Account and Region hold no slash. */
export function scopeKey(scope: HistoryScope): string {
  return `${scope.account}/${scope.region}/${scope.category}`;
}

/** One round for each two code units, and one for the length with the odd unit, so that texts in a row stay apart. */
function absorb(state: Int32Array, text: string): void {
  let v0 = state[0]!;
  let v1 = state[1]!;
  let v2 = state[2]!;
  let v3 = state[3]!;
  const length = text.length;
  for (let index = 0; index <= length; index += 2) {
    let word: number;
    if (index + 1 < length) word = text.charCodeAt(index) | (text.charCodeAt(index + 1) << 16);
    else word = (index < length ? text.charCodeAt(index) : 0) | (length << 16);
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  state[0] = v0;
  state[1] = v1;
  state[2] = v2;
  state[3] = v3;
}

function rounds(state: Int32Array, count: number): void {
  let v0 = state[0]!;
  let v1 = state[1]!;
  let v2 = state[2]!;
  let v3 = state[3]!;
  for (let round = 0; round < count; round += 1) {
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
  }
  state[0] = v0;
  state[1] = v1;
  state[2] = v2;
  state[3] = v3;
}
