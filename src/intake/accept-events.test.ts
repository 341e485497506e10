import { describe, expect, test } from 'vitest';
import { ADMINISTRATOR, bytesOf, callOf, IntakeRig, OWNER, recordText, STRANGER } from '../../test/support/intake-rig.ts';
import { JournalFull } from '../store/journal.ts';
import { acceptEvents, type SubmittedPiece } from './accept-events.ts';

const RECORD = { source: 'record', createAccounts: false } as const;

const record = (eventId: string, more: object = {}): SubmittedPiece => ({ kind: 'record', bytes: bytesOf(recordText(eventId, more)) });

/** The facts of submissions. */
async function factsOf(rig: IntakeRig): Promise<unknown[]> {
  const entries = rig.journal.head() === 0n ? [] : await rig.journal.read(0n, 100);
  return entries.filter(({ factKind }) => factKind === 'intake').map(({ bytes }) => JSON.parse(new TextDecoder().decode(bytes)));
}

describe('acceptEvents', () => {
  test('every piece gets its verdict in its place, and a malformed one stops nothing', async () => {
    const rig = await IntakeRig.open();
    const pieces: SubmittedPiece[] = [
      record('one'),
      { kind: 'malformed', code: 'InvalidJson', reason: 'the input ends early' },
      { kind: 'record', bytes: bytesOf('{"eventID":') },
      record('two'),
      record('one'),
    ];
    expect(await acceptEvents(rig.stores, callOf(OWNER), pieces, RECORD)).toEqual([
      { status: 'accepted', eventId: 'one', sequence: 1n, isConflicting: false },
      { status: 'rejected', code: 'InvalidJson', reason: 'the input ends early' },
      { status: 'rejected', code: 'InvalidJson', reason: expect.any(String) },
      { status: 'accepted', eventId: 'two', sequence: 2n, isConflicting: false },
      { status: 'repeated', eventId: 'one', sequence: 1n },
    ]);
  });

  test('the bytes of an accepted event are kept as they came', async () => {
    const rig = await IntakeRig.open();
    const text = '{ "eventID" : "spaced",  "requestParameters":{"b":1,"a":1e2} }';
    await acceptEvents(rig.stores, callOf(OWNER), [{ kind: 'record', bytes: bytesOf(text) }], { ...RECORD, source: 'import' });
    const [entry] = await rig.journal.read(0n, 1);
    expect({ ...entry, text: new TextDecoder().decode(entry!.bytes) }).toMatchObject({
      source: 'import',
      account: OWNER,
      id: 'spaced',
      text,
    });
  });

  test('the same event submitted twice at once is accepted once (F41)', async () => {
    const rig = await IntakeRig.open();
    const submissions = Array.from({ length: 8 }, () => acceptEvents(rig.stores, callOf(OWNER), [record('same')], RECORD));
    const statuses = (await Promise.all(submissions)).flat().map((verdict) => verdict.status);
    expect(statuses.toSorted()).toEqual(['accepted', ...Array(7).fill('repeated')]);
    expect((await rig.journal.read(0n, 100)).filter(({ kind }) => kind === 'event')).toHaveLength(1);
  });

  test('an id that comes again with other bytes is accepted and marked as conflicting', async () => {
    const rig = await IntakeRig.open();
    const [, second] = await acceptEvents(rig.stores, callOf(OWNER), [record('one'), record('one', { eventName: 'Other' })], RECORD);
    expect(second).toEqual({ status: 'accepted', eventId: 'one', sequence: 2n, isConflicting: true });
  });

  test('a batch ends with the fact of who sent it, from where, and what became of it', async () => {
    const rig = await IntakeRig.open();
    await acceptEvents(rig.stores, callOf(OWNER), [record('one')], RECORD);
    const malformed: SubmittedPiece = { kind: 'malformed', code: 'InvalidJson', reason: 'broken' };
    await acceptEvents(rig.stores, callOf(OWNER), [record('one'), malformed, malformed], RECORD);
    const hour = Math.floor(Date.UTC(2026, 0, 2, 3) / 3_600_000);
    const by = { arn: `arn:aws:iam::${OWNER}:root`, accessKeyId: 'AKIAAAAAAAAAAAAAAAAA', sourceIPAddress: '127.0.0.1' };
    const of = { submission: 'request-1', source: 'record', by };
    expect(await factsOf(rig)).toEqual([
      { ...of, counts: [{ account: OWNER, hour, received: 1, accepted: 1, repeated: 0, rejected: 0 }] },
      { ...of, counts: [{ account: OWNER, hour, received: 3, accepted: 0, repeated: 1, rejected: 2 }] },
    ]);
    expect((await rig.journal.read(0n, 10)).map(({ kind, account }) => [kind, account])).toEqual([
      ['event', OWNER],
      ['fact', OWNER],
      ['fact', OWNER],
    ]);
  });

  test('events and their fact are one append: who reads the journal never sees the one without the other', async () => {
    const rig = await IntakeRig.open();
    let appends = 0;
    const append: typeof rig.journal.append = (...added) => {
      appends += 1;
      return rig.journal.append(...added);
    };
    const malformed: SubmittedPiece = { kind: 'malformed', code: 'InvalidJson', reason: 'broken' };
    await acceptEvents({ ...rig.stores, journal: { ...rig.journal, append } }, callOf(OWNER), [record('one'), malformed], RECORD);
    expect([appends, rig.journal.head()]).toEqual([1, 2n]);
  });

  test('the fact counts for each account that a record was for', async () => {
    const rig = await IntakeRig.open();
    const malformed: SubmittedPiece = { kind: 'malformed', code: 'InvalidJson', reason: 'broken' };
    const pieces = [record('a', { recipientAccountId: OWNER }), malformed, record('b', { recipientAccountId: STRANGER })];
    await acceptEvents(rig.stores, callOf(ADMINISTRATOR), pieces, { source: 'record', createAccounts: true });
    expect(await factsOf(rig)).toMatchObject([
      {
        counts: [
          { account: OWNER, received: 1, accepted: 1 },
          { account: ADMINISTRATOR, received: 1, rejected: 1 },
          { account: STRANGER, received: 1, accepted: 1 },
        ],
      },
    ]);
  });

  test('an account may not record for another, and cannot tell whether that one exists (A12)', async () => {
    const rig = await IntakeRig.open();
    const answers: unknown[] = [];
    for (const account of [ADMINISTRATOR, STRANGER]) {
      const options = { source: 'record', createAccounts: true } as const;
      const [verdict] = await acceptEvents(rig.stores, callOf(OWNER), [record('x', { recipientAccountId: account })], options);
      answers.push(JSON.parse(JSON.stringify(verdict).replaceAll(account, 'THE ACCOUNT')));
    }
    expect(answers[0]).toMatchObject({ status: 'rejected', code: 'AccessDenied' });
    expect(answers[1]).toEqual(answers[0]);
    expect(rig.accounts.exists(STRANGER)).toBe(false);
  });

  test('an administrator records for other accounts, and makes unknown ones only when asked to', async () => {
    const rig = await IntakeRig.open();
    const pieces = [record('a', { recipientAccountId: OWNER }), record('b', { recipientAccountId: STRANGER })];
    const without = await acceptEvents(rig.stores, callOf(ADMINISTRATOR), pieces, RECORD);
    expect(without).toMatchObject([{ status: 'accepted' }, { status: 'rejected', code: 'UnknownAccount' }]);
    expect(rig.accounts.exists(STRANGER)).toBe(false);
    const created = await acceptEvents(rig.stores, callOf(ADMINISTRATOR), pieces, { source: 'record', createAccounts: true });
    expect(created).toMatchObject([{ status: 'repeated' }, { status: 'accepted' }]);
    expect(rig.accounts.exists(STRANGER)).toBe(true);
  });

  test('a full journal refuses the batch as a whole, and sending it again takes it', async () => {
    const rig = await IntakeRig.open();
    rig.journal.pretend('full');
    await expect(acceptEvents(rig.stores, callOf(OWNER), [record('one')], RECORD)).rejects.toThrow(JournalFull);
    expect(rig.journal.head()).toBe(0n);
    rig.journal.pretend('ok');
    expect(await acceptEvents(rig.stores, callOf(OWNER), [record('one')], RECORD)).toMatchObject([{ status: 'accepted' }]);
  });
});
