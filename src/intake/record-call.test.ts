import { describe, expect, test } from 'vitest';
import { callOf, IntakeRig, OWNER, STRANGER } from '../../test/support/intake-rig.ts';
import { accountOperations } from '../access/operations.ts';
import type { CallRecord } from '../api/call-record.ts';
import type { JsonObject } from '../event/types.ts';
import { JournalFull } from '../store/journal.ts';
import { createCallRecorder } from './record-call.ts';

function callRecord(more: Partial<CallRecord> = {}): CallRecord {
  return {
    call: callOf(OWNER),
    eventSource: 'snowtrail.amazonaws.com',
    eventName: 'CreateThing',
    isReadOnly: false,
    category: 'Management',
    requestParameters: { name: 'thing' },
    responseElements: { id: 'thing-1' },
    ...more,
  };
}

/** Records the call and gives back what the journal holds of it. */
async function recorded(rig: IntakeRig, record: CallRecord): Promise<JsonObject> {
  await createCallRecorder(rig.stores)(record);
  const [entry] = await rig.journal.read(rig.journal.head() - 1n, 1);
  return JSON.parse(new TextDecoder().decode(entry!.bytes)) as JsonObject;
}

describe('createCallRecorder', () => {
  test('a call becomes an event of its account, in the member order of delivered files (ID4)', async () => {
    const rig = await IntakeRig.open();
    const resources = [{ name: 'arn:aws:s3:::b', type: 'AWS::S3::Bucket' }];
    const json = await recorded(rig, callRecord({ apiVersion: '2013-11-01', resources }));
    expect(Object.keys(json).join(' ')).toBe(
      'eventVersion userIdentity eventTime eventSource eventName awsRegion sourceIPAddress userAgent requestParameters ' +
        'responseElements requestID eventID readOnly resources eventType apiVersion managementEvent recipientAccountId eventCategory',
    );
    expect(json).toMatchObject({
      eventTime: '2026-01-02T03:30:00Z',
      awsRegion: 'eu-central-1',
      requestParameters: { name: 'thing' },
      responseElements: { id: 'thing-1' },
      requestID: 'request-1',
      readOnly: false,
      managementEvent: true,
      recipientAccountId: OWNER,
    });
    const [entry] = await rig.journal.read(0n, 1);
    expect(entry).toMatchObject({ source: 'own-call', account: OWNER, id: json['eventID'] });
  });

  test('a refused call has its error and no response', async () => {
    const json = await recorded(await IntakeRig.open(), callRecord({ error: { code: 'AccessDenied', message: 'no' } }));
    expect(json).toMatchObject({ errorCode: 'AccessDenied', errorMessage: 'no', responseElements: null });
  });

  test('a denied call says `AccessDenied`, whatever its clients are told, and which statement decided (FI7)', async () => {
    const rig = await IntakeRig.open();
    const decision = {
      action: 'sns:Publish',
      resource: '*',
      outcome: 'denied',
      policyType: 'session policy',
      policy: 'p',
      statement: 's',
    } as const;
    const recordCall = createCallRecorder({ ...rig.stores, decisionOf: () => decision });
    for (const code of ['AccessDeniedException', 'AuthorizationError', 'TrailNotFoundException'])
      await recordCall(callRecord({ error: { code, message: 'no' }, additionalEventData: { other: 1 } }));
    const entries = await rig.journal.read(0n, 10);
    expect(entries.map(({ bytes }) => JSON.parse(new TextDecoder().decode(bytes)))).toMatchObject(
      ['AccessDenied', 'AccessDenied', 'TrailNotFoundException'].map((errorCode) => ({
        errorCode,
        additionalEventData: { other: 1, accessDecision: decision },
      })),
    );
  });

  test('parameters of 100 KB are kept, and larger ones become {"omitted":true} (ID4, FI6)', async () => {
    const rig = await IntakeRig.open();
    const ofSize = (bytes: number) => ({ text: 'x'.repeat(bytes - '{"text":""}'.length) });
    const [fits, larger] = [ofSize(100 * 1024), ofSize(100 * 1024 + 1)];
    expect((await recorded(rig, callRecord({ requestParameters: fits })))['requestParameters']).toEqual(fits);
    const json = await recorded(rig, callRecord({ requestParameters: larger, responseElements: larger }));
    expect(json).toMatchObject({ requestParameters: { omitted: true }, responseElements: { omitted: true } });
  });

  test('the size of parameters is counted in bytes, not in characters (ID4)', async () => {
    const json = await recorded(await IntakeRig.open(), callRecord({ requestParameters: { text: 'ü'.repeat(60 * 1024) } }));
    expect(json['requestParameters']).toEqual({ omitted: true });
  });

  test('parameters that could not be read back are left out, and the call is recorded all the same (FI6)', async () => {
    const rig = await IntakeRig.open();
    let deep: JsonObject = {};
    for (let level = 0; level < 200; level += 1) deep = { deep };
    const wide = { trailNameList: Array.from({ length: 20_000 }, () => 'a') };
    for (const requestParameters of [deep, wide]) {
      const json = await recorded(rig, callRecord({ requestParameters }));
      expect(json).toMatchObject({ eventName: 'CreateThing', requestParameters: { omitted: true } });
    }
  });

  test('a long user agent is cut at 1 KB and never inside a character', async () => {
    const json = await recorded(await IntakeRig.open(), callRecord({ call: callOf(OWNER, { userAgent: `a${'ü'.repeat(1_000)}` }) }));
    expect(json['userAgent']).toBe(`a${'ü'.repeat(511)}`);
  });

  test('what uses a resource of another account is in both accounts, and that one learns no more than whose caller it was', async () => {
    const rig = await IntakeRig.open();
    const additionalEventData = { accessDecision: { policy: 'inline policy of the caller' } };
    await createCallRecorder(rig.recorder)(callRecord({ copyTo: [STRANGER], additionalEventData }));
    const entries = await rig.journal.read(0n, 100);
    const [own, copy] = entries.map(({ bytes }) => JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>);
    expect(entries).toMatchObject([{ account: OWNER }, { account: STRANGER }]);
    expect(own).toMatchObject({ recipientAccountId: OWNER, userIdentity: { type: 'Root', accountId: OWNER }, additionalEventData });
    expect(copy).toMatchObject({ recipientAccountId: STRANGER, sharedEventID: own!['sharedEventID'] });
    expect(copy!['userIdentity']).toEqual({ type: 'AWSAccount', principalId: OWNER, accountId: OWNER });
    expect(copy).not.toHaveProperty('additionalEventData');
    expect(copy!['eventID']).not.toBe(own!['eventID']);
  });

  test('the record of CreateAccessKey holds no secret (FI6)', async () => {
    const rig = await IntakeRig.open();
    const operation = accountOperations(rig.accounts).find(({ name }) => name === 'CreateAccessKey')!;
    const decision = await operation.decide(callOf(OWNER), {} as never);
    const key = (decision.output as { AccessKey: { AccessKeyId: string; SecretAccessKey: string } }).AccessKey;
    const { requestParameters = null, responseElements = null } = decision;
    const json = await recorded(rig, callRecord({ eventName: 'CreateAccessKey', requestParameters, responseElements }));
    expect(json['responseElements']).toEqual({ accessKey: { account: OWNER, accessKeyId: key.AccessKeyId, status: 'Active' } });
    expect(key.SecretAccessKey).toHaveLength(40);
    for (const { bytes } of await rig.journal.read(0n, 100)) {
      expect(Buffer.from(bytes).includes(key.SecretAccessKey)).toBe(false);
    }
  });

  test('a record that is not durable within 2 s is a failure, and not before (F37)', async () => {
    const rig = await IntakeRig.open();
    const append = () => new Promise<never>(() => undefined);
    let outcome = 'waiting';
    const ended = createCallRecorder({ ...rig.stores, journal: { ...rig.journal, append } })(callRecord()).then(
      () => {
        outcome = 'recorded';
      },
      (error: Error) => {
        outcome = error.message;
      },
    );
    await rig.clock.someoneSleeps();
    await rig.clock.advance(1_999);
    expect(outcome).toBe('waiting');
    await rig.clock.advance(1);
    await ended;
    expect(outcome).toBe('the record was not durable within 2000 ms');
  });

  test('a journal that is full or failed is a failure at once, and leaves nobody waiting (F37)', async () => {
    const rig = await IntakeRig.open();
    rig.journal.pretend('full');
    await expect(createCallRecorder(rig.stores)(callRecord())).rejects.toThrow(JournalFull);
    rig.journal.pretend('failed');
    await expect(createCallRecorder(rig.stores)(callRecord())).rejects.toThrow('device failed');
    expect([rig.journal.head(), rig.clock.sleepers()]).toEqual([0n, 0]);
  });
});
