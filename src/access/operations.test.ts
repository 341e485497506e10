import { describe, expect, test } from 'vitest';
import { ADMINISTRATOR, callOf, IntakeRig, OWNER, STRANGER } from '../../test/support/intake-rig.ts';
import { ApiError } from '../api/api-error.ts';
import type { Call, Decision, Operation } from '../api/operation.ts';
import type { AccountId } from '../event/types.ts';
import { accountOperations } from './operations.ts';

async function decide(rig: IntakeRig, name: string, input: object, call: Call = callOf(OWNER)): Promise<Decision<unknown>> {
  const operation = accountOperations(rig.accounts).find((each) => each.name === name) as Operation<object, unknown>;
  return operation.decide(call, input);
}

/** Decides and carries out. */
async function send(rig: IntakeRig, name: string, input: object, call: Call = callOf(OWNER)): Promise<unknown> {
  const { output, apply } = await decide(rig, name, input, call);
  await apply?.();
  return output;
}

const keyOf = (rig: IntakeRig, account: AccountId) => rig.kept.find((key) => key.account === account)!.accessKeyId;

describe('accountOperations', () => {
  test('a decision alone changes nothing: its record comes first (F37)', async () => {
    const rig = await IntakeRig.open();
    await decide(rig, 'CreateAccount', { Account: STRANGER }, callOf(ADMINISTRATOR));
    await decide(rig, 'CreateAccessKey', {});
    await send(rig, 'CreateAccessKey', {});
    await decide(rig, 'UpdateAccessKey', { AccessKeyId: keyOf(rig, OWNER), Status: 'Inactive' });
    expect(rig.accounts.exists(STRANGER)).toBe(false);
    expect(await rig.accounts.listKeys(OWNER)).toHaveLength(2);
    expect(await rig.accounts.listKeys(OWNER)).toContainEqual(
      expect.objectContaining({ accessKeyId: keyOf(rig, OWNER), status: 'Active' }),
    );
  });

  test('keys of a root are made, changed and deleted by a root alone, whatever policies allow (A18)', async () => {
    const rig = await IntakeRig.open();
    const call = callOf(OWNER);
    const user: Call = {
      ...call,
      principal: { ...call.principal, type: 'IAMUser', arn: `arn:aws:iam::${OWNER}:user/alice`, userName: 'alice' },
    };
    const key = { AccessKeyId: keyOf(rig, OWNER) };
    for (const [name, input] of [
      ['CreateAccessKey', {}],
      ['UpdateAccessKey', { ...key, Status: 'Active' }],
      ['DeleteAccessKey', key],
    ] as const)
      await expect(decide(rig, name, input, user)).rejects.toMatchObject({ code: 'AccessDeniedException', status: 403 });
  });

  test('an administrator makes an account once, with its key; making it again is refused, since nothing is made', async () => {
    const rig = await IntakeRig.open();
    const call = callOf(ADMINISTRATOR);
    const key = { Account: STRANGER, AccessKeyId: expect.stringMatching(/^AKIA/), SecretAccessKey: expect.any(String) };
    expect(await send(rig, 'CreateAccount', { Account: STRANGER }, call)).toEqual({ AccessKey: key });
    await expect(decide(rig, 'CreateAccount', { Account: STRANGER }, call)).rejects.toMatchObject({
      code: 'ConflictException',
      status: 409,
      message: expect.stringContaining('exists already; nothing was changed'),
    });
  });

  test('of two calls that make one account at once the later is refused: its record names a key that was not made', async () => {
    const rig = await IntakeRig.open();
    const call = callOf(ADMINISTRATOR);
    const [first, second] = [
      await decide(rig, 'CreateAccount', { Account: STRANGER }, call),
      await decide(rig, 'CreateAccount', { Account: STRANGER }, call),
    ];
    await first.apply?.();
    await expect(second.apply?.()).rejects.toMatchObject({ code: 'ConflictException', status: 409 });
    const { AccessKeyId } = (first.output as { AccessKey: { AccessKeyId: string } }).AccessKey;
    expect(rig.kept.filter(({ account }) => account === STRANGER).map(({ accessKeyId }) => accessKeyId)).toEqual([AccessKeyId]);
    expect(await rig.accounts.listKeys(STRANGER)).toMatchObject([{ accessKeyId: AccessKeyId }]);
  });

  test('the record of a new account names the key that came with it', async () => {
    const rig = await IntakeRig.open();
    const decision = await decide(rig, 'CreateAccount', { Account: STRANGER }, callOf(ADMINISTRATOR));
    await decision.apply?.();
    const { AccessKeyId } = (decision.output as { AccessKey: { AccessKeyId: string } }).AccessKey;
    expect(decision.responseElements).toEqual({ accessKey: { account: STRANGER, accessKeyId: AccessKeyId, status: 'Active' } });
  });

  test('no record holds a secret (FI6)', async () => {
    const rig = await IntakeRig.open();
    for (const [name, input] of [
      ['CreateAccount', { Account: STRANGER }],
      ['CreateAccessKey', { Account: OWNER }],
    ] as const) {
      const decision = await decide(rig, name, input, callOf(ADMINISTRATOR));
      await decision.apply?.();
      const { SecretAccessKey } = (decision.output as { AccessKey: { SecretAccessKey: string } }).AccessKey;
      // `null` and an object are recorded as they are; absent would mean the output itself.
      expect(decision.responseElements).toBeDefined();
      expect(JSON.stringify([decision.requestParameters, decision.responseElements])).not.toContain(SecretAccessKey);
    }
  });

  test('a foreign account gets the same answer whether it exists or not (A12)', async () => {
    const rig = await IntakeRig.open();
    for (const [name, more] of [
      ['CreateAccount', {}],
      ['CreateAccessKey', {}],
      ['ListAccessKeys', {}],
      ['UpdateAccessKey', { AccessKeyId: keyOf(rig, ADMINISTRATOR), Status: 'Inactive' }],
      ['DeleteAccessKey', { AccessKeyId: keyOf(rig, ADMINISTRATOR) }],
    ] as const) {
      const answers: unknown[] = [];
      for (const account of [ADMINISTRATOR, STRANGER]) {
        const error = await decide(rig, name, { Account: account, ...more }).catch((refusal: unknown) => refusal);
        expect(error).toBeInstanceOf(ApiError);
        const { code, status, message } = error as ApiError;
        answers.push({ code, status, message: message.replaceAll(account, 'THE ACCOUNT') });
      }
      expect(answers[0]).toMatchObject({ code: 'AccessDeniedException', status: 403 });
      expect(answers[1]).toEqual(answers[0]);
    }
  });

  test('an account sees itself only, administrators see all', async () => {
    const rig = await IntakeRig.open();
    expect(await send(rig, 'ListAccounts', {})).toMatchObject({ Accounts: [{ Account: OWNER, Name: 'owner' }] });
    expect(await send(rig, 'ListAccounts', {}, callOf(ADMINISTRATOR))).toMatchObject({
      Accounts: [{ Account: ADMINISTRATOR }, { Account: OWNER }],
    });
  });

  test('an account makes, lists, deactivates and deletes its own keys', async () => {
    const rig = await IntakeRig.open();
    const made = (await send(rig, 'CreateAccessKey', {})) as { AccessKey: { AccessKeyId: string } };
    const AccessKeyId = made.AccessKey.AccessKeyId;
    await send(rig, 'UpdateAccessKey', { AccessKeyId, Status: 'Inactive' });
    const listed = (await send(rig, 'ListAccessKeys', {})) as { AccessKeys: readonly object[] };
    expect(listed.AccessKeys).toHaveLength(2);
    expect(listed.AccessKeys).toContainEqual({ Account: OWNER, AccessKeyId, Status: 'Inactive', CreateDate: '2026-01-02T03:30:00.000Z' });
    await send(rig, 'DeleteAccessKey', { AccessKeyId });
    expect(await send(rig, 'ListAccessKeys', {})).toMatchObject({ AccessKeys: [{ AccessKeyId: keyOf(rig, OWNER) }] });
  });

  test('two keys that switch each other off at once leave one of them active', async () => {
    const rig = await IntakeRig.open();
    const { AccessKey } = (await send(rig, 'CreateAccessKey', {})) as { AccessKey: { AccessKeyId: string } };
    const ids = [keyOf(rig, OWNER), AccessKey.AccessKeyId];
    const decisions = await Promise.all(ids.map((AccessKeyId) => decide(rig, 'UpdateAccessKey', { AccessKeyId, Status: 'Inactive' })));
    await decisions[0]!.apply?.();
    await expect(decisions[1]!.apply?.()).rejects.toMatchObject({ code: 'ConflictException', status: 409 });
    const statuses = (await rig.accounts.listKeys(OWNER)).map(({ status }) => status);
    expect(statuses.sort()).toEqual(['Active', 'Inactive']);
  });

  test('an administrator learns that an account does not exist', async () => {
    const refusal = decide(await IntakeRig.open(), 'ListAccessKeys', { Account: STRANGER }, callOf(ADMINISTRATOR));
    await expect(refusal).rejects.toMatchObject({ code: 'NoSuchEntityException', status: 404 });
  });

  test.each([
    ['DeleteAccessKey', {}],
    ['UpdateAccessKey', { Status: 'Inactive' }],
  ])('%s %j is refused for the key that signs the call, whatever others there are', async (name, more) => {
    const rig = await IntakeRig.open();
    await send(rig, 'CreateAccessKey', {});
    const call = callOf(OWNER);
    const own = { ...call, principal: { ...call.principal, accessKeyId: keyOf(rig, OWNER) } };
    await expect(decide(rig, name, { AccessKeyId: keyOf(rig, OWNER), ...more }, own)).rejects.toThrow('sign this call with another key');
  });

  test.each([
    ['DeleteAccessKey', {}],
    ['UpdateAccessKey', { Status: 'Inactive' }],
  ])('%s %j is refused for the last active key of an account, even to an administrator', async (name, more) => {
    const rig = await IntakeRig.open();
    const { AccessKey } = (await send(rig, 'CreateAccessKey', {})) as { AccessKey: { AccessKeyId: string } };
    await send(rig, 'UpdateAccessKey', { AccessKeyId: AccessKey.AccessKeyId, Status: 'Inactive' });
    const input = { Account: OWNER, AccessKeyId: keyOf(rig, OWNER), ...more };
    await expect(decide(rig, name, input, callOf(ADMINISTRATOR))).rejects.toThrow('make or activate another key first');
    await send(rig, 'UpdateAccessKey', { AccessKeyId: AccessKey.AccessKeyId, Status: 'Active' });
    await send(rig, name, input, callOf(ADMINISTRATOR));
  });

  test.each([
    ['CreateAccount', { Account: '12345' }],
    ['CreateAccount', { Account: 123_456_789_012 }],
    ['CreateAccount', { Account: STRANGER, Name: '' }],
    ['UpdateAccessKey', { AccessKeyId: 'AKIAUNKNOWNUNKNOWN00', Status: 'Sleeping' }],
    ['UpdateAccessKey', { AccessKeyId: ['AKIAUNKNOWNUNKNOWN00'], Status: 'Active' }],
    ['DeleteAccessKey', { AccessKeyId: 'a/b' }],
  ])('%s refuses %j', async (name, input) => {
    await expect(decide(await IntakeRig.open(), name, input, callOf(ADMINISTRATOR))).rejects.toMatchObject({ code: 'ValidationException' });
  });
});
