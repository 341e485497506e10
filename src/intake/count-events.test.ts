import { describe, expect, test } from 'vitest';
import { bytesOf, callOf, IntakeRig, OWNER, recordText, START_MS } from '../../test/support/intake-rig.ts';
import type { EventSourceKind } from '../event/types.ts';
import { hourOf } from '../store/account-hour.ts';
import type { JournalEntry } from '../store/journal.ts';
import { acceptEvents } from './accept-events.ts';
import { EventCounter, unexplainedOf } from './count-events.ts';
import { createCallRecorder } from './record-call.ts';

const HOUR = hourOf(START_MS);

async function submit(rig: IntakeRig, ...texts: string[]): Promise<void> {
  const pieces = texts.map((text) => ({ kind: 'record', bytes: bytesOf(text) }) as const);
  await acceptEvents(rig.stores, callOf(OWNER), pieces, { source: 'record', createAccounts: false });
}

async function catchUp(rig: IntakeRig, counter: EventCounter): Promise<void> {
  await counter.take(await rig.journal.read(counter.cursor(), 100));
}

/** The counts of a journal that holds these entries, and what is unexplained in the one row. */
async function countOf(entries: readonly JournalEntry[]) {
  const rig = await IntakeRig.open();
  const counter = await EventCounter.open(rig);
  await counter.take(entries);
  return counter.counts().map((count) => ({ ...count, unexplained: unexplainedOf(count) }));
}

describe('EventCounter', () => {
  test('what was received is accepted, repeated or rejected, by hour, and still is after reopening (RC1)', async () => {
    const rig = await IntakeRig.open();
    const counter = await EventCounter.open(rig);
    await submit(rig, recordText('one'), recordText('two'), recordText('one'), 'nonsense');
    await catchUp(rig, counter);
    await rig.clock.advance(3_600_000);
    await submit(rig, recordText('two'), recordText('three'));
    await catchUp(rig, counter);

    const expected = [
      { account: OWNER, hour: HOUR, received: 4, accepted: 2, repeated: 1, rejected: 1, open: 0 },
      { account: OWNER, hour: HOUR + 1, received: 2, accepted: 1, repeated: 1, rejected: 0, open: 0 },
    ];
    expect(counter.counts()).toEqual(expected);
    expect(counter.counts().map(unexplainedOf)).toEqual([0, 0]);
    const reopened = await EventCounter.open(rig);
    expect([reopened.counts(), reopened.cursor()]).toEqual([expected, rig.journal.head()]);
  });

  test('a call to an API of the server is one event and its own submission', async () => {
    const rig = await IntakeRig.open();
    const record = createCallRecorder(rig.stores);
    const call = callOf(OWNER);
    await record({
      call,
      eventSource: 's.amazonaws.com',
      eventName: 'X',
      isReadOnly: true,
      category: 'Management',
      requestParameters: null,
      responseElements: null,
    });
    expect(await countOf(await rig.journal.read(0n, 10))).toMatchObject([{ received: 1, accepted: 1, unexplained: 0 }]);
  });

  test('an event that a submission brought and the journal does not hold is unexplained, and so is one that it holds twice', async () => {
    const rig = await IntakeRig.open();
    await submit(rig, recordText('one'), recordText('two'));
    const [one, two, fact] = await rig.journal.read(0n, 10);
    expect(await countOf([one!, fact!])).toMatchObject([{ received: 2, accepted: 1, unexplained: 1 }]);
    expect(await countOf([one!, two!, two!, fact!])).toMatchObject([{ received: 2, accepted: 3, unexplained: -1 }]);
  });

  test('events whose submission is missing are unexplained as soon as something else follows them', async () => {
    const rig = await IntakeRig.open();
    await submit(rig, recordText('one'));
    await submit(rig, recordText('two'));
    const [one, , two, fact] = await rig.journal.read(0n, 10);
    expect(await countOf([one!])).toMatchObject([{ accepted: 1, open: 1, unexplained: 0 }]);
    const ownCall = { ...two!, source: 'own-call' as EventSourceKind };
    expect(await countOf([one!, ownCall])).toMatchObject([{ received: 1, accepted: 2, open: 0, unexplained: -1 }]);
    expect(await countOf([one!, two!, fact!])).toMatchObject([{ received: 1, accepted: 2, open: 0, unexplained: -1 }]);
  });

  test('a submission that two takes divide is not unexplained in between, nor over a restart', async () => {
    const rig = await IntakeRig.open();
    await submit(rig, recordText('one'), recordText('two'));
    const entries = await rig.journal.read(0n, 10);
    await (await EventCounter.open(rig)).take(entries.slice(0, 1));
    const reopened = await EventCounter.open(rig);
    expect(reopened.counts().map(unexplainedOf)).toEqual([0]);
    await reopened.take(entries.slice(1));
    expect(reopened.counts()).toEqual([{ account: OWNER, hour: HOUR, received: 2, accepted: 2, repeated: 0, rejected: 0, open: 0 }]);
  });

  test('a reopened counter goes on where it was and counts nothing twice', async () => {
    const rig = await IntakeRig.open();
    await submit(rig, recordText('one'), 'nonsense');
    await catchUp(rig, await EventCounter.open(rig));
    await submit(rig, recordText('two'));
    const reopened = await EventCounter.open(rig);
    await catchUp(rig, reopened);
    expect(reopened.counts()).toMatchObject([{ account: OWNER, hour: HOUR, received: 3, accepted: 2, repeated: 0, rejected: 1 }]);
  });

  test('damaged entries are passed over and kept as such, and counted once they can be read again (P8)', async () => {
    const rig = await IntakeRig.open();
    await submit(rig, recordText('one'), recordText('two'), 'nonsense');
    const damage = { from: 2n, to: 3n, file: 'journal/1.log', reason: 'wrong CRC' };
    rig.journal.pretendDamage(damage);
    const counter = await EventCounter.open(rig);
    await catchUp(rig, counter);
    await counter.passOver(damage);
    const reopened = await EventCounter.open(rig);
    expect(reopened.passedOver()).toEqual([{ ...damage, countedTo: 0n, receivedToMs: START_MS }]);
    expect([reopened.cursor(), reopened.counts()]).toEqual([
      3n,
      [{ account: OWNER, hour: HOUR, received: 0, accepted: 1, repeated: 0, rejected: 0, open: 0 }],
    ]);
    rig.journal.pretendDamage();
    for (let start = 1; start <= 2; start++) {
      const whole = await EventCounter.open(rig);
      expect([whole.passedOver(), whole.counts()]).toMatchObject([[], [{ received: 3, accepted: 2, rejected: 1 }]]);
      expect(whole.counts().map(unexplainedOf)).toEqual([0]);
    }
  });

  test('what could not be kept is not counted: the same entries come again', async () => {
    const rig = await IntakeRig.open();
    await submit(rig, recordText('one'));
    let isBroken = true;
    const commit: typeof rig.catalog.commit = (changes) =>
      isBroken ? Promise.reject(new Error('the disk is away')) : rig.catalog.commit(changes);
    const counter = await EventCounter.open({ ...rig, catalog: { ...rig.catalog, commit } });
    await expect(catchUp(rig, counter)).rejects.toThrow('the disk is away');
    expect([counter.counts(), counter.cursor()]).toEqual([[], 0n]);
    isBroken = false;
    await catchUp(rig, counter);
    expect(counter.counts()).toMatchObject([{ accepted: 1 }]);
  });
});
