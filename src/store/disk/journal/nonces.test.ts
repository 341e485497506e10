import { expect, test } from 'vitest';
import { ManualClock, seededChance } from '../../../../test/support/manual-clock.ts';
import { SimulatedFiles } from '../../../../test/support/simulated-files.ts';
import type { AccountId, Region } from '../../../event/types.ts';
import { openDiskJournal } from './disk-journal.ts';
import { deriveNonces, NONCE_KEY_BYTES } from './nonces.ts';

const key = new Uint8Array(NONCE_KEY_BYTES).fill(7);

test('a nonce follows from key and sequence, whoever asks for how many', () => {
  const many = deriveNonces(key, 1_000, 50);
  expect(many.length).toBe(50 * 16);
  for (const place of [0, 1, 49]) expect(deriveNonces(key, 1_000 + place, 1)).toEqual(many.subarray(16 * place, 16 * place + 16));
  expect(deriveNonces(key, 2 ** 40, 1)).not.toEqual(deriveNonces(key, 2 ** 40 + 1, 1));
  expect(deriveNonces(new Uint8Array(NONCE_KEY_BYTES), 1_000, 1)).not.toEqual(many.subarray(0, 16));
});

test('the nonce of sequence 0 is AES-256 of a block of zeros: a reader in any language gets the same', () => {
  // Computed with OpenSSL: aes-256-ecb without padding, under the key of FIPS 197, C.3.
  const exampleKey = Uint8Array.from({ length: 32 }, (_, index) => index);
  expect(deriveNonces(exampleKey, 0, 1).toString('hex')).toBe('f29000b62a499fd0a9f39a6add2e7780');
});

test('entries keep their nonces in a sealed segment, also those that an earlier process gave', async () => {
  const files = new SimulatedFiles({ seed: 1 });
  const open = (seed: string) =>
    openDiskJournal({
      folder: '/journal',
      files,
      clock: new ManualClock(0),
      chance: seededChance(seed),
      reserveBytes: 1,
      segmentBytes: 40_000,
      freshBytes: 0,
      sealing: 'in-place',
    });
  const nonces: string[] = [];
  const add = async (journal: Awaited<ReturnType<typeof open>>, from: number, count: number) => {
    const entries = Array.from({ length: count }, (_, place) => ({
      kind: 'event' as const,
      source: 'record' as const,
      account: '111122223333' as AccountId,
      region: 'us-east-1' as Region,
      eventId: `event-${from + place}`,
      receivedAtMs: 0,
      bytes: new TextEncoder().encode(JSON.stringify({ place: from + place, text: 'x'.repeat(900) })),
    }));
    await journal.append(entries);
    for (const { nonce } of await journal.read(BigInt(nonces.length), count)) nonces.push(Buffer.from(nonce).toString('hex'));
  };

  const first = await open('first');
  await add(first, 0, 20);
  await first.close();
  const second = await open('second');
  for (let from = 20; from < 120; from += 20) await add(second, from, 20);
  await second.whenSealed();
  expect((await files.list('/journal')).filter((name) => name.endsWith('.sealed')).length).toBeGreaterThanOrEqual(2);
  const read = await second.read(0n, 200);
  expect(read.map(({ nonce }) => Buffer.from(nonce).toString('hex'))).toEqual(nonces);
  expect(new Set(nonces).size).toBe(120);
  expect(await second.scrub()).toEqual([]);
  await second.close();
});
