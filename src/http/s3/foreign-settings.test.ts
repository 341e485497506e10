/**
 * Settings of a bucket that lies at another S3: this server does not keep them, and does not answer as if it did.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { HttpRig } from '../../../test/support/http-rig.ts';
import { ManualClock, seededChance } from '../../../test/support/manual-clock.ts';
import type { Region } from '../../event/types.ts';
import { createMemoryObjects } from '../../store/memory/objects.ts';
import type { Objects } from '../../store/objects.ts';

let rig: HttpRig;
let updates: object[];

beforeEach(async () => {
  updates = [];
  const built = createMemoryObjects({ clock: new ManualClock(Date.UTC(2026, 0, 1)), chance: seededChance('settings') });
  const foreign: Pick<Objects, 'getBucket' | 'updateBucket'> = {
    getBucket: async (name) => ({ name, region: 'us-east-1' as Region, createdAtMs: 0, versioning: 'Enabled' }),
    updateBucket: async (_name, change) => void updates.push(change),
  };
  rig = await HttpRig.start({ objects: Object.assign(Object.create(built) as Objects, foreign) });
});
afterEach(() => rig.close());

test.each(['encryption', 'ownershipControls', 'publicAccessBlock', 'tagging', 'lifecycle'])(
  '%s is neither set, nor removed, nor said not to be configured',
  async (name) => {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const { status, text } = await rig.send(method, `/elsewhere?${name}=`, method === 'PUT' ? { body: '<Any/>' } : {});
      expect([method, status, text]).toEqual([method, 501, expect.stringContaining('lies at another S3')]);
    }
    expect(updates).toEqual([]);
  },
);
