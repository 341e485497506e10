import { describe, expect, test } from 'vitest';
import { ADMINISTRATOR, bytesOf, callOf, IntakeRig, OWNER, recordText, STRANGER } from '../../test/support/intake-rig.ts';
import { Accounts } from '../access/accounts.ts';
import type { AccountId, JsonObject } from '../event/types.ts';
import { runOperation } from '../http/dispatch.ts';
import { acceptEvents, type IntakeStores } from '../intake/accept-events.ts';
import { EventCounter, unexplainedOf } from '../intake/count-events.ts';
import { createCallRecorder } from '../intake/record-call.ts';
import { JournalFull, JournalReadOnly } from '../store/journal.ts';
import { withAppend } from '../store/with-append.ts';

const NEWCOMER = '444444444444' as AccountId;

/** An administrator submits one record for each of these accounts, which are made where they are missing. */
function submit(stores: IntakeStores, ...accounts: readonly AccountId[]) {
  const pieces = accounts.map((account) => ({
    kind: 'record' as const,
    bytes: bytesOf(recordText(`event of ${account}`, { recipientAccountId: account })),
  }));
  return acceptEvents(stores, callOf(ADMINISTRATOR), pieces, { source: 'record', createAccounts: true });
}

/** The calls that the journal tells of, in order. */
async function callsOf(rig: IntakeRig): Promise<JsonObject[]> {
  const entries = rig.journal.head() === 0n ? [] : await rig.journal.read(0n, 100);
  return entries
    .filter(({ source }) => source === 'own-call')
    .map(({ bytes }) => JSON.parse(new TextDecoder().decode(bytes)) as JsonObject);
}

const made = (rig: IntakeRig, account: AccountId) =>
  rig.kept.filter((key) => key.account === account).map(({ accessKeyId }) => accessKeyId);

/**
 * Submits a record of an account that is made for it while each save of an account fails, and again once saves succeed.
 * @param hasEffect Whether a save that fails took effect all the same.
 */
async function submitTwice(rig: IntakeRig, { hasEffect }: { readonly hasEffect: boolean }): Promise<Accounts> {
  let isAway = true;
  const commit: typeof rig.catalog.commit = async (changes) => {
    const isRefused = isAway && changes.some(({ key }) => key[0] === 'account');
    if (!isRefused || hasEffect) await rig.catalog.commit(changes);
    if (isRefused) throw new Error('the catalog is away');
  };
  const accounts = new Accounts({ ...rig, catalog: { ...rig.catalog, commit }, keepKey: async (key) => void rig.kept.push(key) });
  await accounts.open('installation', ADMINISTRATOR);
  const stores = { ...rig.stores, accounts: rig.intakeAccounts(accounts) };
  await expect(submit(stores, STRANGER)).rejects.toThrow('the catalog is away');
  if (!hasEffect) expect(accounts.exists(STRANGER)).toBe(false);
  isAway = false;
  expect(await submit(stores, STRANGER)).toMatchObject([{ status: 'accepted' }]);
  return accounts;
}

describe('an account that a submission makes', () => {
  test('is recorded as a call of its sender, exactly as `snowtrail accounts create` is', async () => {
    const rig = await IntakeRig.open();
    await submit(rig.stores, STRANGER);
    const recording = {
      authorize: async () => {},
      guard: async () => ({ kind: 'free' as const }),
      recordCall: createCallRecorder(rig.recorder),
      report: () => expect.unreachable(),
    };
    const named = { name: 'CreateAccount', readInput: () => ({ Account: NEWCOMER }) };
    const signed = { use: () => 'first' as const, giveBack: () => undefined };
    await runOperation(recording, rig.snowtrail(), callOf(ADMINISTRATOR), named, { body: new Uint8Array(), signed });
    const [submitted, called] = await callsOf(rig);
    const ofNewcomer = JSON.stringify(submitted)
      .replaceAll(STRANGER, NEWCOMER)
      .replace(made(rig, STRANGER)[0]!, made(rig, NEWCOMER)[0]!)
      .replace(String(submitted!['eventID']), String(called!['eventID']));
    expect(ofNewcomer).toBe(JSON.stringify(called));
    expect(submitted).toMatchObject({
      eventName: 'CreateAccount',
      userIdentity: { arn: `arn:aws:iam::${ADMINISTRATOR}:root`, accessKeyId: 'AKIAAAAAAAAAAAAAAAAA' },
      sourceIPAddress: '127.0.0.1',
      requestID: 'request-1',
      requestParameters: { account: STRANGER },
      recipientAccountId: ADMINISTRATOR,
    });
  });

  test('is recorded before it exists, and its events follow', async () => {
    const rig = await IntakeRig.open();
    const seen: unknown[] = [];
    const commit: typeof rig.catalog.commit = async (changes) => {
      if (changes.some(({ key }) => key[0] === 'account')) seen.push((await callsOf(rig)).map(({ eventName }) => eventName));
      return rig.catalog.commit(changes);
    };
    const accounts = new Accounts({ ...rig, catalog: { ...rig.catalog, commit }, keepKey: async () => undefined });
    await submit({ ...rig.stores, accounts: rig.intakeAccounts(accounts) }, STRANGER);
    expect(seen).toEqual([['CreateAccount']]);
    expect((await rig.journal.read(0n, 10)).map(({ account, kind, factKind }) => [account, factKind ?? kind])).toEqual([
      [ADMINISTRATOR, 'event'],
      // The account and its key.
      [STRANGER, 'configuration'],
      [STRANGER, 'configuration'],
      [STRANGER, 'event'],
      [ADMINISTRATOR, 'intake'],
    ]);
  });

  test('is not recorded again by a repeated submission, nor by one that comes at the same time', async () => {
    const rig = await IntakeRig.open();
    const submissions = await Promise.all([submit(rig.stores, STRANGER, OWNER), submit(rig.stores, OWNER, STRANGER)]);
    expect(submissions.flat().map(({ status }) => status)).toEqual(['accepted', 'accepted', 'repeated', 'repeated']);
    expect(await submit(rig.stores, STRANGER)).toMatchObject([{ status: 'repeated' }]);
    expect([(await callsOf(rig)).length, made(rig, STRANGER).length]).toEqual([1, 1]);
  });

  test('is counted as a call of the account that administers, and the books stay explained (F45)', async () => {
    const rig = await IntakeRig.open();
    await submit(rig.stores, STRANGER, OWNER);
    const counter = await EventCounter.open(rig);
    await counter.take(await rig.journal.read(0n, 10));
    expect(counter.counts().map((row) => [row.account, row.received, row.accepted, row.open, unexplainedOf(row)])).toEqual([
      [ADMINISTRATOR, 1, 1, 0, 0],
      [OWNER, 1, 1, 0, 0],
      [STRANGER, 1, 1, 0, 0],
    ]);
  });

  test('is not made while its record cannot be written: the batch is refused as by a full journal, and taken later (F13, F37)', async () => {
    const rig = await IntakeRig.open();
    rig.journal.pretend('full');
    await expect(submit(rig.stores, OWNER, STRANGER)).rejects.toThrow(JournalFull);
    expect([rig.journal.head(), rig.accounts.exists(STRANGER), made(rig, STRANGER)]).toEqual([0n, false, []]);
    expect(await rig.catalog.list(['account'])).toHaveLength(2);
    rig.journal.pretend('ok');
    expect(await submit(rig.stores, OWNER, STRANGER)).toMatchObject([{ status: 'accepted' }, { status: 'accepted' }]);
    expect(await callsOf(rig)).toHaveLength(1);
  });

  test('is not made in a journal that is only read: the refusal says so (F46)', async () => {
    const rig = await IntakeRig.open();
    const journal = withAppend(rig.journal, () => Promise.reject(new JournalReadOnly('put back the newest copy')));
    const accounts = rig.intakeAccounts(rig.accounts, { ...rig.recorder, journal });
    await expect(submit({ ...rig.stores, journal, accounts }, STRANGER)).rejects.toThrow(JournalReadOnly);
    expect(rig.accounts.exists(STRANGER)).toBe(false);
  });

  test('is not made when its record is not durable within 2 s: the batch is refused (F37)', async () => {
    const rig = await IntakeRig.open();
    const journal = withAppend(rig.journal, () => new Promise<never>(() => undefined));
    const accounts = rig.intakeAccounts(rig.accounts, { ...rig.recorder, journal });
    const refusal = expect(submit({ ...rig.stores, accounts }, OWNER, STRANGER)).rejects.toMatchObject({
      code: 'ServiceUnavailable',
      status: 503,
    });
    await rig.clock.someoneSleeps();
    await rig.clock.advance(2_000);
    await refusal;
    expect([rig.journal.head(), rig.accounts.exists(STRANGER)]).toEqual([0n, false]);
  });

  test('is recorded and made by the next submission when it was recorded and then not made', async () => {
    const rig = await IntakeRig.open();
    const accounts = await submitTwice(rig, { hasEffect: false });
    const { accessKeyId } = (await accounts.listKeys(STRANGER))[0]!;
    const [first, failure, second, ...more] = await callsOf(rig);
    expect([first!['eventName'], failure!['errorCode'], more]).toEqual(['CreateAccount', 'InternalFailure', []]);
    expect(second).toMatchObject({ eventName: 'CreateAccount', responseElements: { accessKey: { accessKeyId } } });
  });

  test('is there after a save whose answer was lost: the next submission goes on with it', async () => {
    const rig = await IntakeRig.open();
    const accounts = await submitTwice(rig, { hasEffect: true });
    expect(made(rig, STRANGER)).toEqual((await accounts.listKeys(STRANGER)).map(({ accessKeyId }) => accessKeyId));
  });
});
