import { describe, expect, test } from 'vitest';
import { ADMINISTRATOR, bytesOf, callOf, IntakeRig, OWNER, recordText, START_MS } from '../../test/support/intake-rig.ts';
import { decodeSubmission } from '../event/submission.ts';
import type { Region } from '../event/types.ts';
import { hourOf } from '../store/account-hour.ts';
import { JournalDamaged, JournalFull } from '../store/journal.ts';
import { acceptEvents } from './accept-events.ts';
import { closeCutFirst, findCutSubmission } from './close-cut-submission.ts';
import { EventCounter, unexplainedOf } from './count-events.ts';

const AT = { account: ADMINISTRATOR, region: 'us-east-1' as Region, nowMs: START_MS + 9 };

/** A whole submission of two events, then two events that a crash cut off from their fact. */
async function cutRig(): Promise<IntakeRig> {
  const rig = await IntakeRig.open();
  const pieces = ['one', 'two'].map((id) => ({ kind: 'record', bytes: bytesOf(recordText(id)) }) as const);
  await acceptEvents(rig.stores, callOf(OWNER), pieces, { source: 'record', createAccounts: false });
  await rig.journal.append(
    ['three', 'four'].map((eventId) => ({
      kind: 'event',
      source: 'import',
      account: OWNER,
      region: AT.region,
      eventId,
      receivedAtMs: START_MS,
      bytes: bytesOf(recordText(eventId)),
    })),
  );
  return rig;
}

describe('a batch that a crash cut', () => {
  test('its events are closed by a fact without a submitter, and explained from then on (F45)', async () => {
    const rig = await cutRig();
    const fact = await findCutSubmission(rig.journal, AT);
    expect(await closeCutFirst(rig.journal, fact).close()).toBe(true);
    const [entry] = await rig.journal.read(5n, 1);
    const counts = [{ account: OWNER, hour: hourOf(START_MS), received: 2, accepted: 2, repeated: 0, rejected: 0 }];
    expect(entry).toMatchObject({ sequence: 6n, factKind: 'intake', id: 'intake/cut/4-5', account: ADMINISTRATOR });
    expect(decodeSubmission(entry!.bytes)).toEqual({ cut: { from: '4', to: '5' }, counts });
    const counter = await EventCounter.open(rig);
    await counter.take(await rig.journal.read(0n, 100));
    expect(counter.counts().map(unexplainedOf)).toEqual([0]);
  });

  test('nothing is found in an empty journal, behind a whole submission, and once it was closed', async () => {
    expect(await findCutSubmission((await IntakeRig.open()).journal, AT)).toBeUndefined();
    const rig = await cutRig();
    expect(await findCutSubmission({ ...rig.journal, head: () => 3n }, AT)).toBeUndefined();
    await closeCutFirst(rig.journal, await findCutSubmission(rig.journal, AT)).close();
    expect(await findCutSubmission(rig.journal, AT)).toBeUndefined();
  });

  test('what lies before damage is not part of it', async () => {
    const rig = await cutRig();
    const damage = { from: 3n, to: 4n, file: 'journal/1.log', reason: 'the frame at byte 99 is damaged' };
    const fetch: typeof rig.journal.fetch = async (sequences) => {
      if (sequences[0]! <= damage.to) throw new JournalDamaged(damage);
      return rig.journal.fetch(sequences);
    };
    expect((await findCutSubmission({ ...rig.journal, fetch }, AT))!.factId).toBe('intake/cut/5-5');
  });

  test('a full journal asks for another try, and a second try adds nothing to a first that succeeded', async () => {
    const rig = await cutRig();
    const { journal, close } = closeCutFirst(rig.journal, await findCutSubmission(rig.journal, AT));
    rig.journal.pretend('full');
    expect(await close()).toBe(false);
    rig.journal.pretend('ok');
    expect(await close()).toBe(true);
    expect(await close()).toBe(true);
    expect(journal.head()).toBe(6n);
  });

  test('nothing comes between it and its fact: an append closes it first, or is refused as it is', async () => {
    const rig = await cutRig();
    const { journal } = closeCutFirst(rig.journal, await findCutSubmission(rig.journal, AT));
    const pieces = ['five', 'six'].map((id) => ({ kind: 'record', bytes: bytesOf(recordText(id)) }) as const);
    const send = () => acceptEvents({ ...rig.stores, journal }, callOf(OWNER), pieces, { source: 'record', createAccounts: false });
    rig.journal.pretend('full');
    await expect(send()).rejects.toThrow(JournalFull);
    rig.journal.pretend('ok');
    await Promise.all([send(), send()]);
    const entries = await rig.journal.read(5n, 100);
    expect(entries.map(({ id, factKind }) => (factKind === undefined ? id : factKind))).toEqual([
      'intake',
      'five',
      'six',
      'intake',
      'intake',
    ]);
    expect(entries[0]!.id).toBe('intake/cut/4-5');
  });
});
