/**
 * Versions that Object Lock protects, to whoever asks for their end while the clock is set ahead.
 */
import { expect, test } from 'vitest';
import { HttpRig, RIG_ACCOUNT } from '../../../test/support/http-rig.ts';
import type { BucketName, ObjectKey, Region } from '../../event/types.ts';
import { createManualClock, createSeededChance } from '../../store/memory/clock.ts';
import { createMemoryObjects } from '../../store/memory/objects.ts';

const DAY_MS = 24 * 3_600_000;

test('a clock that is set ahead does not make the record say that a protected version was deleted', async () => {
  const clock = createManualClock({ startMs: Date.UTC(2026, 0, 2) });
  const objects = createMemoryObjects({ clock, chance: createSeededChance('delete') });
  const rig = await HttpRig.start({ objects, clock });
  const name = 'locked' as BucketName;
  await objects.createBucket({
    ...{ name, owner: RIG_ACCOUNT, region: 'us-east-1' as Region, createdAtMs: clock.nowMs() },
    ...{ versioning: 'Enabled', objectLock: {} },
  });
  const retention = { mode: 'COMPLIANCE', untilMs: clock.nowMs() + DAY_MS } as const;
  const { versionId } = await objects.put(name, 'a' as ObjectKey, new Uint8Array(1), { retention });
  clock.jump(2 * DAY_MS);
  const one = await rig.send('DELETE', `/locked/a?versionId=${versionId}`);
  const body = `<Delete><Object><Key>a</Key><VersionId>${versionId}</VersionId></Object></Delete>`;
  const many = await rig.send('POST', '/locked?delete=', { body });
  expect([one.status, many.text]).toEqual([403, expect.stringContaining('<Code>AccessDenied</Code>')]);
  expect(rig.names().filter((each) => each === 'DeleteObject')).toEqual([]);
  await rig.close();
});
