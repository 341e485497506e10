import { describe, expect, test } from 'vitest';
import { ADMINISTRATOR, IntakeRig, OWNER, STRANGER } from '../../test/support/intake-rig.ts';
import type { Catalog } from '../store/catalog.ts';
import { Accounts, type NewAccessKey } from './accounts.ts';

/** `OWNER` may lose one of its keys. */
async function openWithTwoKeys(): Promise<IntakeRig> {
  const rig = await IntakeRig.open();
  await (await rig.accounts.prepareKey(OWNER)).save();
  return rig;
}

async function make(accounts: Accounts): Promise<NewAccessKey | undefined> {
  return (await accounts.prepareAccount(STRANGER, 'new')).save();
}

describe('Accounts', () => {
  test('the first start makes the installation and its key, and later ones find them', async () => {
    const rig = new IntakeRig();
    const { installation, newKey } = await rig.accounts.open('id-1', ADMINISTRATOR);
    expect(rig.kept).toEqual([newKey]);
    expect(newKey!.accessKeyId).toMatch(/^AKIA[A-Z2-7]{16}$/);
    const again = rig.newAccounts();
    expect(await again.open('id-2', OWNER)).toEqual({ installation });
    expect(again.list().map(({ account }) => account)).toEqual([ADMINISTRATOR]);
    expect(await again.findCredentials(newKey!.accessKeyId)).toMatchObject({
      secretAccessKey: newKey!.secretAccessKey,
      status: 'Active',
      principal: { account: ADMINISTRATOR, isAdministrator: true },
    });
  });

  test('the secret lies in the catalog only wrapped (FI6)', async () => {
    const rig = await IntakeRig.open();
    const documents = JSON.stringify(await rig.catalog.list(['access-key']));
    expect(rig.kept).toHaveLength(2);
    for (const { accessKeyId, secretAccessKey } of rig.kept) {
      expect(documents).toContain(accessKeyId);
      expect(documents).not.toContain(secretAccessKey);
      expect(documents).not.toContain(Buffer.from(secretAccessKey).toString('base64'));
    }
  });

  test('an account that several calls make at once has one key, and it is the one that was kept', async () => {
    const rig = await IntakeRig.open();
    const made = await Promise.all(Array.from({ length: 5 }, () => make(rig.accounts)));
    const keys = made.filter((key) => key !== undefined);
    expect(keys).toHaveLength(1);
    expect(rig.kept.filter(({ account }) => account === STRANGER)).toEqual(keys);
    expect(await rig.accounts.listKeys(STRANGER)).toMatchObject([{ accessKeyId: keys[0]!.accessKeyId, status: 'Active' }]);
  });

  test('an account whose key cannot be kept is not made, and the next call makes it with a key', async () => {
    const rig = await IntakeRig.open();
    const kept: NewAccessKey[] = [];
    let isDiskFull = true;
    const keepKey = async (key: NewAccessKey) => {
      if (isDiskFull) throw new Error('no space');
      kept.push(key);
    };
    const accounts = new Accounts({ ...rig, keepKey });
    await accounts.open('installation', ADMINISTRATOR);
    await expect(make(accounts)).rejects.toThrow('no space');
    expect(accounts.exists(STRANGER)).toBe(false);
    isDiskFull = false;
    const key = await make(accounts);
    expect(kept).toEqual([key]);
    expect(await accounts.findCredentials(key!.accessKeyId)).toMatchObject({ secretAccessKey: key!.secretAccessKey });
  });

  test('a commit whose answer was lost does not replace the key that counts', async () => {
    const rig = await IntakeRig.open();
    let isAnswerLost = true;
    const commit: Catalog['commit'] = async (changes) => {
      await rig.catalog.commit(changes);
      if (isAnswerLost) throw new Error('lost');
    };
    const kept: NewAccessKey[] = [];
    const keepKey = async (key: NewAccessKey) => void kept.push(key);
    const accounts = new Accounts({ ...rig, catalog: { ...rig.catalog, commit }, keepKey });
    await accounts.open('installation', ADMINISTRATOR);
    await expect(make(accounts)).rejects.toThrow('lost');
    isAnswerLost = false;
    expect(await make(accounts)).toBeUndefined();
    expect(accounts.exists(STRANGER)).toBe(true);
    expect(await accounts.findCredentials(kept.at(-1)!.accessKeyId)).toMatchObject({ status: 'Active' });
  });

  test('a deactivated key is inactive at once where it was changed, and after 5 s everywhere (A10)', async () => {
    const rig = await openWithTwoKeys();
    const elsewhere = rig.newAccounts();
    await elsewhere.open('installation', ADMINISTRATOR);
    const { accessKeyId } = rig.kept.find(({ account }) => account === OWNER)!;
    const statusOf = async (accounts: Accounts) => (await accounts.findCredentials(accessKeyId))?.status;
    expect([await statusOf(rig.accounts), await statusOf(elsewhere)]).toEqual(['Active', 'Active']);

    await (await rig.accounts.changeKey(OWNER, accessKeyId, 'Inactive')).apply();
    expect(await statusOf(rig.accounts)).toBe('Inactive');
    await rig.clock.advance(5_000);
    expect(await statusOf(elsewhere)).toBe('Inactive');
  });

  test('a wall clock that is set back does not keep a deactivated key alive (A10)', async () => {
    const rig = await openWithTwoKeys();
    const elsewhere = rig.newAccounts();
    await elsewhere.open('installation', ADMINISTRATOR);
    const { accessKeyId } = rig.kept.find(({ account }) => account === OWNER)!;
    await elsewhere.findCredentials(accessKeyId);
    await (await rig.accounts.changeKey(OWNER, accessKeyId, 'Inactive')).apply();
    rig.clock.jump(-86_400_000);
    await rig.clock.advance(5_000);
    expect((await elsewhere.findCredentials(accessKeyId))?.status).toBe('Inactive');
  });

  test('a deleted key is unknown, and so is what cannot be a key id', async () => {
    const rig = await openWithTwoKeys();
    const { accessKeyId } = rig.kept.find(({ account }) => account === OWNER)!;
    await (await rig.accounts.changeKey(OWNER, accessKeyId, undefined)).apply();
    for (const id of [accessKeyId, 'AKIAUNKNOWNUNKNOWN00', '', '../installation', '\0', 'x'.repeat(5_000)]) {
      expect(await rig.accounts.findCredentials(id)).toBeUndefined();
    }
    expect(await rig.accounts.listKeys(OWNER)).toHaveLength(1);
  });

  test('a foreign key looks like one that does not exist (A12)', async () => {
    const rig = await IntakeRig.open();
    const foreign = rig.kept.find(({ account }) => account === ADMINISTRATOR)!.accessKeyId;
    const refusals: unknown[] = [];
    for (const id of [foreign, 'AKIAUNKNOWNUNKNOWN00']) {
      const error = await rig.accounts.changeKey(OWNER, id, 'Inactive').catch((refusal: Error) => refusal);
      refusals.push([error, String(error).replace(id, 'THE KEY')]);
    }
    expect(refusals[0]).toMatchObject([{ code: 'NoSuchEntityException', status: 404 }, expect.any(String)]);
    expect((refusals[1] as unknown[])[1]).toBe((refusals[0] as unknown[])[1]);
  });

  test('of two changes of a key the later is refused with a conflict, and nothing of it is carried out', async () => {
    const rig = await openWithTwoKeys();
    const { accessKeyId } = rig.kept.find(({ account }) => account === OWNER)!;
    const [deactivate, remove] = [
      await rig.accounts.changeKey(OWNER, accessKeyId, 'Inactive'),
      await rig.accounts.changeKey(OWNER, accessKeyId, undefined),
    ];
    await deactivate.apply();
    await expect(remove.apply()).rejects.toMatchObject({ code: 'ConflictException', status: 409 });
    expect(await rig.accounts.listKeys(OWNER)).toContainEqual(expect.objectContaining({ accessKeyId, status: 'Inactive' }));
  });

  test('an account has at most 100 keys', async () => {
    const rig = await IntakeRig.open();
    for (let count = 1; count < 100; count += 1) await (await rig.accounts.prepareKey(OWNER)).save();
    await expect(rig.accounts.prepareKey(OWNER)).rejects.toMatchObject({ code: 'LimitExceededException' });
  });
});
