/**
 * Keys in memory, for tests and the simulation. Real cryptography, nothing kept.
 *
 * Ed25519 keys come from `chance`. RSA keys take a tenth of a second to find, so all stores of one process draw them
 * from one row: the first key of each store is the same key. Never for real use.
 */
import type { KeyObject } from 'node:crypto';
import type { Chance, Clock } from '../clock.ts';
import { generateRsaKey, MASTER_KEY_BYTES, type Origin, openKeyring } from '../keyring.ts';
import type { Keys } from '../keys.ts';

/** RSA keys found so far by this process. */
const rsaKeys: Promise<KeyObject>[] = [];

/**
 * @param options.origin Name of the log, as for `openDiskKeys`.
 */
export function createMemoryKeys(options: { readonly clock: Clock; readonly chance: Chance; readonly origin?: Origin }): Keys {
  const { clock, chance, origin = 'snowtrail/memory' } = options;
  let opened: Promise<Keys> | undefined;
  let drawn = 0;
  const makeRsaKey = () => {
    const index = drawn++;
    rsaKeys[index] ??= generateRsaKey();
    return rsaKeys[index];
  };
  // Opened at the first use, so that making a store needs no waiting.
  const keys = () => {
    opened ??= openKeyring({ origin, clock, chance, masterKey: chance.bytes(MASTER_KEY_BYTES), save: async () => {}, makeRsaKey });
    return opened;
  };
  return {
    list: async (use) => (await keys()).list(use),
    sign: async (use, message, fingerprint) => (await keys()).sign(use, message, fingerprint),
    rotate: async (use, nowMs) => (await keys()).rotate(use, nowMs),
    wrap: async (secret, context) => (await keys()).wrap(secret, context),
    unwrap: async (wrapped, context) => (await keys()).unwrap(wrapped, context),
    derive: async (purpose) => (await keys()).derive(purpose),
  };
}
