/** How far followers see the journal while trails are being changed. */
import { expect, it, vi } from 'vitest';
import { BUCKET, HOME, TRAIL_ACCOUNT, TrailRig } from '../../test/support/trail-rig.ts';
import type { Journal } from '../store/journal.ts';
import { HeldJournal } from './held-journal.ts';
import type { TrailId } from './trail.ts';

const trail = (name: string): TrailId => ({ account: TRAIL_ACCOUNT, homeRegion: HOME, name });

it('ends before a change of the trail that is under way, and goes on for all others', () => {
  let end = 10n;
  const held = new HeldJournal({ head: () => end } as Journal);
  const [one, two, three] = [held.of(trail('one')), held.of(trail('two')), held.of(trail('three'))];
  const heads = () => [one, two, three].map((journal) => journal.head());
  const first = held.hold([trail('one')]);
  end = 11n;
  const second = held.hold([trail('two')]);
  end = 12n;
  expect(heads()).toEqual([10n, 11n, 12n]);
  first();
  expect(heads()).toEqual([12n, 11n, 12n]);
  second();
  const both = held.hold([trail('one'), trail('two')]);
  end = 13n;
  expect(heads()).toEqual([12n, 12n, 13n]);
  both();
  expect(heads()).toEqual([13n, 13n, 13n]);
});

it('lets a trail come to its own change while one of another trail, which began before, is under way', async () => {
  const rig = new TrailRig();
  await rig.createBucket();
  const trails = await rig.open();
  for (const Name of ['one', 'two']) await rig.send(trails, 'CreateTrail', { Name, S3BucketName: BUCKET });
  await rig.settle(trails);
  const append = rig.journal.append.bind(rig.journal);
  let goOn = () => {};
  const wait = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  vi.spyOn(rig.journal, 'append').mockImplementation(async (entries) => {
    const [entry] = entries;
    if (entry?.kind === 'fact' && Buffer.from(entry.bytes).includes('trail/one"')) await wait;
    return append(entries);
  });
  const change = rig.send(trails, 'StartLogging', { Name: 'one' });
  await new Promise((resolve) => setImmediate(resolve));
  await rig.send(trails, 'StartLogging', { Name: 'two' });
  await rig.settle(trails);
  goOn();
  await change;
  await rig.settle(trails);
  expect([rig.troubles, trails.followers().map((follower) => follower.health().state)]).toEqual([[], ['ok', 'ok']]);
});
