import { describe, expect, test } from 'vitest';
import { ACCOUNT, callBy, HistoryRig, NOW_MS, OTHER_ACCOUNT, record, sha256 } from '../../test/support/history-rig.ts';
import type { EventView } from '../api/event-view.ts';
import { encodeSubmission } from '../event/submission.ts';
import type { JsonObject, Region } from '../event/types.ts';
import type { EventDetail } from './get-event.ts';
import { resourceForms } from './resource-forms.ts';
import type { SearchOutput } from './search-events.ts';
import type { TailOutput } from './tail-events.ts';

const administrator = callBy(ACCOUNT, { isAdministrator: true });
const stranger = callBy(OTHER_ACCOUNT);
const at = (secondsBeforeNow: number): string => `${new Date(NOW_MS - secondsBeforeNow * 1000).toISOString().slice(0, 19)}Z`;
const ids = (output: { readonly Events: readonly EventView[] }): string[] => output.Events.map((event) => event.EventId);

/** Every page of a search. */
async function all(rig: HistoryRig, name: string, input: JsonObject, by = callBy(ACCOUNT)): Promise<EventView[]> {
  const events: EventView[] = [];
  for (let NextToken: string | undefined; ; ) {
    const page = await rig.call<SearchOutput>(name, { ...input, ...(NextToken !== undefined && { NextToken }) }, by);
    events.push(...page.Events);
    NextToken = page.NextToken;
    if (NextToken === undefined) return events;
  }
}

describe('SearchEvents', () => {
  test('shows what was read beside the bytes of the record', async () => {
    const rig = await HistoryRig.open();
    const sent = record({ eventID: 'e1', errorCode: 'AccessDenied' });
    await rig.accept([sent]);
    const { Events, ToSequence } = await rig.call<SearchOutput>('SearchEvents');
    expect(ToSequence).toBe('1');
    expect(Events).toEqual([
      {
        Sequence: '1',
        ReceivedAt: '2026-01-02T03:04:05.000Z',
        AccountId: ACCOUNT,
        Region: 'eu-central-1',
        EventId: 'e1',
        EventTime: '2026-01-02T03:04:04.000Z',
        EventName: 'CreateBucket',
        EventSource: 's3.amazonaws.com',
        Category: 'management',
        ReadOnly: false,
        Username: 'alice',
        AccessKeyId: 'AKIAALICE',
        SourceIpAddress: '203.0.113.7',
        ErrorCode: 'AccessDenied',
        Resources: [{ ResourceType: 'AWS::S3::Bucket', ResourceName: 'snowy-pii' }],
        Source: 'record',
        IsLate: false,
        IsEventTimeSuspicious: false,
        Sentence: expect.stringContaining('alice'),
        Record: JSON.stringify(sent),
      },
    ]);
  });

  test('several filters must all hold', async () => {
    const rig = await HistoryRig.open();
    await rig.accept([
      record({ eventID: 'wanted', errorCode: 'AccessDenied' }),
      record({ eventID: 'no-error' }),
      record({ eventID: 'bob', errorCode: 'AccessDenied', userIdentity: { type: 'IAMUser', userName: 'bob' } }),
      record({ eventID: 'read', errorCode: 'NoSuchBucket', readOnly: true, eventName: 'GetBucketAcl', sourceIPAddress: '198.51.100.1' }),
    ]);
    const found = async (input: JsonObject): Promise<string[]> => ids(await rig.call<SearchOutput>('SearchEvents', input));
    expect(
      await found({
        User: 'alice',
        Error: 'AccessDenied',
        Write: true,
        Name: 'CreateBucket',
        Ip: '203.0.113.7',
        Source: 's3.amazonaws.com',
        Resource: 'snowy-pii',
      }),
    ).toEqual(['wanted']);
    expect(await found({ Error: '*' })).toEqual(['read', 'bob', 'wanted']);
    expect(await found({ Error: '*', Write: false })).toEqual(['read']);
    expect(await found({ User: 'bob', Write: false })).toEqual([]);
    expect(await found({ EventId: 'no-error' })).toEqual(['no-error']);
    expect(await found({ AccessKeyId: 'AKIAALICE', Order: 'oldest' })).toEqual(['wanted', 'no-error', 'read']);
    expect(await found({ From: at(1), To: at(1), Name: 'GetBucketAcl' })).toEqual(['read']);
    expect(await found({ From: at(0) })).toEqual([]);
  });

  test('a name finds calls with the API version at its end as well', async () => {
    const rig = await HistoryRig.open();
    await rig.accept([
      record({ eventID: 'old', eventName: 'UpdateFunctionConfiguration20150331v2' }),
      record({ eventID: 'new', eventName: 'UpdateFunctionConfiguration' }),
    ]);
    expect(ids(await rig.call('SearchEvents', { Name: 'UpdateFunctionConfiguration' }))).toEqual(['new', 'old']);
    expect(ids(await rig.call('SearchEvents', { Name: 'UpdateFunctionConfiguration20150331v2' }))).toEqual(['old']);
  });

  test('goes over accounts, Regions and categories at once; a caller who administers nothing sees its own account', async () => {
    const rig = await HistoryRig.open();
    await rig.accept([record({ eventID: 'mine' }), record({ eventID: 'data', eventCategory: 'Data' })]);
    await rig.accept([record({ eventID: 'elsewhere' })], { region: 'us-east-1' as Region });
    await rig.accept([record({ eventID: 'theirs' })], { account: OTHER_ACCOUNT });
    const found = async (input: JsonObject, by = administrator): Promise<string[]> =>
      ids(await rig.call<SearchOutput>('SearchEvents', input, by)).sort();
    expect(await found({})).toEqual(['data', 'elsewhere', 'mine', 'theirs']);
    expect(await found({ AccountIds: [OTHER_ACCOUNT] })).toEqual(['theirs']);
    expect(await found({ Regions: ['us-east-1', 'eu-north-1'] })).toEqual(['elsewhere']);
    expect(await found({ Categories: ['data'], AccountIds: [ACCOUNT] })).toEqual(['data']);
    expect(await found({}, stranger)).toEqual(['theirs']);
    await expect(found({ AccountIds: [ACCOUNT] }, stranger)).rejects.toMatchObject({ code: 'AccessDeniedException' });
    await expect(found({ AccountIds: ['999999999999'] }, stranger)).rejects.toMatchObject({ code: 'AccessDeniedException' });
  });

  test('pages have no gap and no repeat, also where a resource has several forms', async () => {
    const rig = await HistoryRig.open();
    const touches = Array.from({ length: 25 }, (_, index) =>
      record({ eventID: `e${index}`, resources: index % 2 ? [{ ARN: 'arn:aws:s3:::snowy-pii', type: 'AWS::S3::Bucket' }] : [] }),
    );
    await rig.accept(touches);
    const expected = touches.map((touch) => touch['eventID']).toReversed();
    expect((await all(rig, 'SearchEvents', { MaxResults: 4 })).map((event) => event.EventId)).toEqual(expected);
    expect((await all(rig, 'WhoTouched', { MaxResults: 4, Resource: 's3://snowy-pii' })).map((event) => event.EventId)).toEqual(expected);
  });

  test('refuses input that it cannot read, naming the member', async () => {
    const rig = await HistoryRig.open();
    for (const [input, message] of [
      [{ From: '2026-02-30T00:00:00Z' }, /`From`.*time such as/],
      [{ From: at(0), To: at(1) }, /`From` is later/],
      [{ MaxResults: 0 }, /`MaxResults`.*1 to 1000/],
      [{ MaxResults: '10' }, /`MaxResults`/],
      [{ Order: 'random' }, /`newest`, `oldest`/],
      [{ Name: 7 }, /`Name`/],
      [{ Write: 'yes' }, /`Write`/],
      [{ Categories: ['Management'] }, /`management`/],
      [{ AccountIds: ['me'] }, /12 digits/],
      [{ Regions: 'eu-central-1' }, /`Regions`/],
    ] as const) {
      await expect(rig.call('SearchEvents', input), JSON.stringify(input)).rejects.toMatchObject({
        code: 'ValidationException',
        message: expect.stringMatching(message),
      });
    }
    await expect(rig.call('SearchEvents', { NextToken: 'x' })).rejects.toMatchObject({ code: 'InvalidNextTokenException' });
    await expect(rig.call('WhoTouched', {})).rejects.toMatchObject({
      code: 'ValidationException',
      message: expect.stringContaining('`Resource`'),
    });
  });
});

describe('WhoTouched', () => {
  test('finds a bucket by name, by ARN and as s3://, and an object by bucket and key together', async () => {
    const rig = await HistoryRig.open();
    await rig.accept([
      record({ eventID: 'by-name' }),
      record({ eventID: 'by-arn', requestParameters: null, resources: [{ ARN: 'arn:aws:s3:::snowy-pii', type: 'AWS::S3::Bucket' }] }),
      record({
        eventID: 'object',
        eventName: 'GetObject',
        eventCategory: 'Data',
        requestParameters: { bucketName: 'snowy-pii', key: 'exports/a.csv' },
        resources: [{ ARN: 'arn:aws:s3:::snowy-pii/exports/a.csv', type: 'AWS::S3::Object' }],
      }),
      record({
        eventID: 'other-bucket',
        eventName: 'GetObject',
        eventCategory: 'Data',
        requestParameters: { bucketName: 'other', key: 'exports/a.csv' },
        resources: [{ ARN: 'arn:aws:s3:::other/exports/a.csv', type: 'AWS::S3::Object' }],
      }),
    ]);
    const who = async (Resource: string): Promise<string[]> => ids(await rig.call<SearchOutput>('WhoTouched', { Resource })).sort();
    for (const form of ['snowy-pii', 'arn:aws:s3:::snowy-pii', 's3://snowy-pii', 's3://snowy-pii/']) {
      expect({ form, found: await who(form) }).toEqual({ form, found: ['by-arn', 'by-name', 'object'] });
    }
    for (const form of ['arn:aws:s3:::snowy-pii/exports/a.csv', 's3://snowy-pii/exports/a.csv'])
      expect({ form, found: await who(form) }).toEqual({ form, found: ['object'] });
    expect(await who('s3://snowy-pii/exports/b.csv')).toEqual([]);
  });

  test('the name of an ARN counts within the ARN’s account only', async () => {
    const rig = await HistoryRig.open();
    const role = (eventID: string): JsonObject =>
      record({ eventID, eventSource: 'iam.amazonaws.com', eventName: 'PutRolePolicy', requestParameters: { roleName: 'Admin' } });
    await rig.accept([role('mine')]);
    await rig.accept([role('theirs')], { account: OTHER_ACCOUNT });
    const who = async (Resource: string): Promise<string[]> =>
      ids(await rig.call<SearchOutput>('WhoTouched', { Resource }, administrator)).sort();
    expect(await who(`arn:aws:iam::${ACCOUNT}:role/Admin`)).toEqual(['mine']);
    expect(await who('role/Admin')).toEqual(['mine', 'theirs']);
    expect(await who('Admin')).toEqual(['mine', 'theirs']);
  });

  test('the text itself is always one of the forms', () => {
    expect(resourceForms('/aws/lambda/fn')).toEqual([{ names: ['/aws/lambda/fn'] }]);
    expect(resourceForms('s3://b/a/b')).toEqual([{ names: ['s3://b/a/b'] }, { names: ['arn:aws:s3:::b/a/b'] }, { names: ['b', 'a/b'] }]);
    expect(resourceForms('arn:aws:ec2:eu-west-1:111122223333:instance/i-1')).toEqual([
      { names: ['arn:aws:ec2:eu-west-1:111122223333:instance/i-1'] },
      { names: ['i-1'], account: '111122223333' },
    ]);
  });
});

describe('ExportEvents', () => {
  test('1,000 events of one second keep the order of acceptance, and two runs are byte-equal (RC5)', async () => {
    const rig = await HistoryRig.open();
    await rig.accept(Array.from({ length: 1_000 }, (_, index) => record({ eventID: `e${index}`, eventTime: at(10) })));
    await rig.accept([record({ eventID: 'before', eventTime: at(11) }), record({ eventID: 'after', eventTime: at(9) })]);
    const run = async (MaxResults: number): Promise<string> =>
      (await all(rig, 'ExportEvents', { From: at(60), To: at(0), MaxResults })).map((event) => `${JSON.stringify(event)}\n`).join('');
    const first = await run(1_000);
    expect(
      first
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).EventId),
    ).toEqual(['before', ...Array.from({ length: 1_000 }, (_, index) => `e${index}`), 'after']);
    expect(await run(1_000)).toBe(first);
    expect(await run(333)).toBe(first);
  });

  test('a late event is marked, an imported one is not; `ToSequence` gives an earlier export again', async () => {
    const rig = await HistoryRig.open();
    await rig.accept([record({ eventID: 'in-time', eventTime: at(900) })]);
    const { ToSequence } = await rig.call<SearchOutput>('ExportEvents');
    await rig.accept([record({ eventID: 'late', eventTime: at(901) })]);
    await rig.accept([record({ eventID: 'imported', eventTime: at(86_400) })], { source: 'import' });
    expect((await all(rig, 'ExportEvents', {})).map((event) => [event.EventId, event.IsLate, event.Sequence])).toEqual([
      ['imported', false, '3'],
      ['late', true, '2'],
      ['in-time', false, '1'],
    ]);
    expect((await all(rig, 'ExportEvents', { ToSequence })).map((event) => event.EventId)).toEqual(['in-time']);
  });
});

describe('GetEvent', () => {
  test('shows an event by id or sequence with hash, nonce and remarks, however old it is', async () => {
    const rig = await HistoryRig.open();
    const sent = record({ eventID: 'e1', eventTime: '2001-01-01T00:00:00Z' });
    await rig.accept([sent]);
    const { Event } = await rig.call<{ Event: EventDetail }>('GetEvent', { EventId: 'e1' });
    const bytes = new TextEncoder().encode(JSON.stringify(sent));
    const [entry] = await rig.journal.fetch([1n]);
    expect(Event).toMatchObject({
      Sequence: '1',
      IsConflicting: false,
      DefaultedMembers: [],
      HasDuplicateKeys: false,
      Sha256: Buffer.from(sha256(bytes)).toString('hex'),
      Nonce: Buffer.from(entry!.nonce).toString('base64'),
      Record: JSON.stringify(sent),
    });
    expect(await rig.call('GetEvent', { Sequence: '1' })).toEqual({ Event });
  });

  test('says who submitted the event, from the fact behind its batch; nobody where a crash cut the batch', async () => {
    const rig = await HistoryRig.open();
    const by = { arn: `arn:aws:iam::${ACCOUNT}:root`, accessKeyId: 'AKIASENDER', sourceIPAddress: '192.0.2.1' };
    const batch = (name: string, count: number) => Array.from({ length: count }, (_, index) => record({ eventID: `${name}-${index}` }));
    const fact = (submission: string, sender: typeof by, accepted: number) => {
      const counts = [{ account: ACCOUNT, hour: 0, received: accepted, accepted, repeated: 0, rejected: 0 }];
      return encodeSubmission({ submission, source: 'record', by: sender, counts });
    };
    await rig.append(batch('first', 150));
    await rig.appendFact('intake', 'first', fact('first', by, 150));
    await rig.append(batch('second', 2));
    const other = { ...by, accessKeyId: 'AKIAOTHER' };
    await rig.appendFact('intake', 'second', fact('second', other, 2));
    await rig.append(batch('cut', 1));
    await rig.appendFact('intake', 'cut', encodeSubmission({ cut: { from: '155', to: '155' }, counts: [] }));
    const submitterOf = async (EventId: string) => (await rig.call<{ Event: EventDetail }>('GetEvent', { EventId })).Event.SubmittedBy;
    expect(await submitterOf('first-0')).toEqual({
      Arn: by.arn,
      AccessKeyId: 'AKIASENDER',
      SourceIpAddress: '192.0.2.1',
      RequestId: 'first',
      Sequence: '151',
    });
    expect(await submitterOf('second-1')).toMatchObject({ AccessKeyId: 'AKIAOTHER', Sequence: '154' });
    expect(await submitterOf('cut-0')).toBeUndefined();
    await rig.append(batch('left', 1));
    await rig.append(batch('third', 2));
    await rig.appendFact('intake', 'third', fact('third', other, 2));
    expect(await submitterOf('left-0'), 'it lies before the batch of somebody else').toBeUndefined();
    expect(await submitterOf('third-0')).toMatchObject({ RequestId: 'third' });
  });

  test('an id that another event of the account has is shown by sequence, and said to conflict', async () => {
    const rig = await HistoryRig.open();
    await rig.accept([record({ eventID: 'twice' })]);
    await rig.accept([record({ eventID: 'twice', eventName: 'DeleteBucket' })]);
    expect(await rig.call('GetEvent', { EventId: 'twice' })).toMatchObject({ Event: { EventName: 'CreateBucket', IsConflicting: false } });
    expect(await rig.call('GetEvent', { Sequence: 2 })).toMatchObject({ Event: { EventName: 'DeleteBucket', IsConflicting: true } });
  });

  test('an event of a foreign account looks as if it were not there, except for the administrators', async () => {
    const rig = await HistoryRig.open();
    await rig.accept([record({ eventID: 'mine' })]);
    await rig.accept([record({ eventID: 'theirs' })], { account: OTHER_ACCOUNT });
    for (const input of [{ EventId: 'mine' }, { Sequence: 1 }, { Sequence: 3 }, { Sequence: 0 }, { EventId: 'nowhere' }]) {
      await expect(rig.call('GetEvent', input, stranger), JSON.stringify(input)).rejects.toMatchObject({
        code: 'EventNotFoundException',
        status: 404,
      });
    }
    expect(await rig.call('GetEvent', { EventId: 'theirs' }, administrator)).toMatchObject({ Event: { AccountId: OTHER_ACCOUNT } });
    await expect(rig.call('GetEvent', { EventId: 'mine', AccountId: ACCOUNT }, stranger)).rejects.toMatchObject({
      code: 'AccessDeniedException',
    });
    await expect(rig.call('GetEvent', {})).rejects.toMatchObject({ code: 'ValidationException' });
  });
});

describe('TailEvents', () => {
  test('waits for the next event that matches and gives it once', async () => {
    const rig = await HistoryRig.open();
    await rig.accept([record({ eventID: 'before' })]);
    const waiting = rig.call<TailOutput>('TailEvents', { Name: 'DeleteBucket' });
    await rig.clock.someoneSleeps();
    await rig.append([record({ eventID: 'another' })]);
    await rig.append([record({ eventID: 'theirs', eventName: 'DeleteBucket' })], { account: OTHER_ACCOUNT });
    await rig.append([record({ eventID: 'wanted', eventName: 'DeleteBucket' })]);
    const output = await waiting;
    expect(ids(output)).toEqual(['wanted']);
    expect(output.NextSequence).toBe('4');
    expect(await rig.call('TailEvents', { AfterSequence: '4', WaitSeconds: 0 })).toEqual({ Events: [], NextSequence: '4' });
  });

  test('answers empty when the time is over', async () => {
    const rig = await HistoryRig.open();
    const waiting = rig.call<TailOutput>('TailEvents', { WaitSeconds: 20 });
    await rig.clock.someoneSleeps();
    rig.clock.pass(20_000);
    expect(await waiting).toEqual({ Events: [], NextSequence: '0' });
  });

  test('gives at most as many events as asked for, and goes on from there', async () => {
    const rig = await HistoryRig.open();
    await rig.accept(['a', 'b', 'c'].map((eventID) => record({ eventID })));
    const first = await rig.call<TailOutput>('TailEvents', { AfterSequence: 0, MaxResults: 2 });
    expect(ids(first)).toEqual(['a', 'b']);
    expect(ids(await rig.call('TailEvents', { AfterSequence: first.NextSequence, MaxResults: 2 }))).toEqual(['c']);
  });

  test('the records of tailing calls do not wake the tail: each answer would cause the next', async () => {
    const rig = await HistoryRig.open();
    await rig.accept([record({ eventName: 'TailEvents', eventSource: 'snowtrail.amazonaws.com' })], { source: 'own-call' });
    expect(await rig.call('TailEvents', { AfterSequence: 0, WaitSeconds: 0 })).toEqual({ Events: [], NextSequence: '1' });
  });
});
