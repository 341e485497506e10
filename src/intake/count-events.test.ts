import { describe, expect, test } from 'vitest';
import { bytesOf, callOf, IntakeRig, OWNER, recordText, START_MS } from '../../test/support/intake-rig.ts';
import { acceptEvents } from './accept-events.ts';
import { EventCounter } from './count-events.ts';
import { hourOf } from './intake-ledger.ts';

async function submit(rig: IntakeRig, ...texts: string[]): Promise<void> {
  const pieces = texts.map((text) => ({ kind: 'record', bytes: bytesOf(text) }) as const);
  await acceptEvents(rig.stores, callOf(OWNER), pieces, { source: 'record', createAccounts: false });
}

async function catchUp(rig: IntakeRig, counter: EventCounter): Promise<void> {
  await counter.take(await rig.journal.read(counter.cursor(), 100));
}

describe('EventCounter', () => {
  test('what was received is accepted, repeated or rejected, by hour, and still is after reopening (RC1)', async () => {
    const rig = await IntakeRig.open();
    const counter = await EventCounter.open(rig.catalog);
    await submit(rig, recordText('one'), recordText('two'), recordText('one'), 'nonsense');
    await catchUp(rig, counter);
    await rig.clock.advance(3_600_000);
    await submit(rig, recordText('two'), recordText('three'));
    await catchUp(rig, counter);

    const hour = hourOf(START_MS);
    const expected = [
      { account: OWNER, hour, accepted: 2, repeated: 1, rejected: 1 },
      { account: OWNER, hour: hour + 1, accepted: 1, repeated: 1, rejected: 0 },
    ];
    expect(counter.counts()).toEqual(expected);
    expect(expected.reduce((sum, { accepted, repeated, rejected }) => sum + accepted + repeated + rejected, 0)).toBe(6);
    const reopened = await EventCounter.open(rig.catalog);
    expect([reopened.counts(), reopened.cursor()]).toEqual([expected, rig.journal.head()]);
  });

  test('a reopened counter goes on where it was and counts nothing twice', async () => {
    const rig = await IntakeRig.open();
    await submit(rig, recordText('one'), 'nonsense');
    await catchUp(rig, await EventCounter.open(rig.catalog));
    await submit(rig, recordText('two'));
    const reopened = await EventCounter.open(rig.catalog);
    await catchUp(rig, reopened);
    expect(reopened.counts()).toEqual([{ account: OWNER, hour: hourOf(START_MS), accepted: 2, repeated: 0, rejected: 1 }]);
  });

  test('what could not be kept is not counted: the same entries come again', async () => {
    const rig = await IntakeRig.open();
    await submit(rig, recordText('one'));
    let isBroken = true;
    const commit: typeof rig.catalog.commit = (changes) =>
      isBroken ? Promise.reject(new Error('the disk is away')) : rig.catalog.commit(changes);
    const counter = await EventCounter.open({ ...rig.catalog, commit });
    await expect(catchUp(rig, counter)).rejects.toThrow('the disk is away');
    expect([counter.counts(), counter.cursor()]).toEqual([[], 0n]);
    isBroken = false;
    await catchUp(rig, counter);
    expect(counter.counts()).toMatchObject([{ accepted: 1 }]);
  });
});
