import { randomBytes, randomUUID } from 'node:crypto';
import { describeKeys, KEYS_NOW_MS, KEYS_ORIGIN } from '../../../test/stores/keys.contract.ts';
import { createMemoryKeys } from './keys.ts';

const clock = { nowMs: () => KEYS_NOW_MS, monotonicMs: () => 0, sleep: async () => {} };
const chance = { bytes: randomBytes, uuid: randomUUID, fraction: Math.random };

describeKeys('memory', async () => createMemoryKeys({ clock, chance, origin: KEYS_ORIGIN }));
