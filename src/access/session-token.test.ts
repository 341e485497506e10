import { describe, expect, test } from 'vitest';
import type { AccountId } from '../event/types.ts';
import { createManualClock, createSeededChance } from '../store/memory/clock.ts';
import { createMemoryKeys } from '../store/memory/keys.ts';
import { openSession, packedSize, type SessionClaims, sealSession } from './session-token.ts';

const keys = createMemoryKeys({ clock: createManualClock({ startMs: 0 }), chance: createSeededChance('keys') });
const CLAIMS: SessionClaims = {
  account: '111111111111' as AccountId,
  owner: { kind: 'role', name: 'deploy', id: 'AROA', sessionName: 'alice' },
  secretAccessKey: 'the-secret',
  issuedAtMs: 1_000,
  expiresAtMs: 2_000,
  tags: [{ Key: 'team', Value: 'blue' }],
  transitiveTagKeys: ['team'],
};

describe('a session token', () => {
  test('opens to what was sealed, and shows nothing of it', async () => {
    const token = await sealSession(keys, 'ASIAONE', CLAIMS);
    expect(await openSession(keys, 'ASIAONE', token)).toEqual(CLAIMS);
    expect(Buffer.from(token, 'base64').toString('latin1')).not.toContain('the-secret');
  });

  test('opens for no other key (A07)', async () => {
    expect(await openSession(keys, 'ASIATWO', await sealSession(keys, 'ASIAONE', CLAIMS))).toBeUndefined();
  });

  test('a changed one, or what is none, opens to nothing', async () => {
    const token = await sealSession(keys, 'ASIAONE', CLAIMS);
    const changed = Buffer.from(token, 'base64');
    changed[changed.length - 1]! ^= 1;
    for (const text of ['', 'x', 'not base64!', token.slice(0, -8), changed.toString('base64'), 'A'.repeat(20_000)])
      expect(await openSession(keys, 'ASIAONE', text)).toBeUndefined();
  });

  test('fills up with what callers put into it', () => {
    expect(packedSize([null, CLAIMS.tags])).toBe(1);
    const noise = createSeededChance('noise');
    const many = Array.from({ length: 50 }, () => ({
      Key: noise.uuid(),
      Value: noise.uuid() + noise.uuid() + noise.uuid() + noise.uuid(),
    }));
    expect(packedSize([null, many])).toBeGreaterThan(100);
    // What packs well has to be opened, too.
    expect(packedSize([null, Array.from({ length: 50 }, (_, at) => ({ Key: `k${at}`, Value: 'あ'.repeat(256) }))])).toBeGreaterThan(100);
  });
});
