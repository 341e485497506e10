/**
 * Fingerprints of ids: 64 bits over kind, account and id, keyed with the journal's salt.
 *
 * A fingerprint only narrows the search: every hit is confirmed against the entry itself. It is keyed so that nobody
 * can make up ids that all have the same one.
 */
export interface Fingerprint {
  /** Both are unsigned 32-bit numbers. */
  readonly high: number;
  readonly low: number;
}

/** Event ids and fact ids are two namespaces. */
export function fingerprint(salt: number, kind: 'event' | 'fact', account: string, id: string): Fingerprint {
  let high = salt ^ (kind === 'event' ? 0x3c6ef372 : 0x1f83d9ab);
  let low = Math.imul(salt, 0x9e3779b1) ^ 0x510e527f;
  for (let index = 0; index < account.length; index++) {
    const code = account.charCodeAt(index);
    high = Math.imul(high ^ code, 0x85ebca6b);
    high = (high << 13) | (high >>> 19);
    low = Math.imul(low ^ code, 0xc2b2ae35);
    low = (low << 17) | (low >>> 15);
  }
  // Where the account ends counts as well: "1" + "23" is not "12" + "3".
  high ^= account.length;
  for (let index = 0; index < id.length; index++) {
    const code = id.charCodeAt(index);
    high = Math.imul(high ^ code, 0x85ebca6b);
    high = (high << 13) | (high >>> 19);
    low = Math.imul(low ^ code, 0xc2b2ae35);
    low = (low << 17) | (low >>> 15);
  }
  high = Math.imul(high ^ (high >>> 16) ^ low, 0x7feb352d);
  low = Math.imul(low ^ (low >>> 15) ^ high, 0x846ca68b);
  return { high: (high ^ (high >>> 15)) >>> 0, low: (low ^ (low >>> 16)) >>> 0 };
}
