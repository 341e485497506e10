import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Json } from '../event/types.ts';
import { ApiError } from './api-error.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { checkConstraints, decodeInput, encodeOutput, findProblems } from './validate-input.ts';

/** Code and message of the `ApiError` that `work` throws; `accepted` when it throws none. */
function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof ApiError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'accepted';
}

const decode = (operation: string, json: Json) => refusal(() => decodeInput(operation, json));
const check = (operation: string, json: Json) => refusal(() => checkConstraints(operation, decodeInput(operation, json)));

describe('decodeInput', () => {
  test('takes the members of the shape and drops those that it does not have', () => {
    const json = JSON.parse(
      '{"Name":"main","S3BucketName":"logs","IsMultiRegionTrail":true,"RecursiveLogging":false,"Unheard":{"x":1},"__proto__":{"KmsKeyId":"k"},"constructor":5,"SnsTopicName":null}',
    ) as Json;
    const input = decodeInput('CreateTrail', json);
    expect(input).toEqual({ Name: 'main', S3BucketName: 'logs', IsMultiRegionTrail: true, RecursiveLogging: false });
    expect(input['KmsKeyId']).toBeUndefined();
  });

  test('DescribeTrails alone has lower-camel members', () => {
    expect(decodeInput('DescribeTrails', { trailNameList: ['a'], includeShadowTrails: false, TrailNameList: ['b'] })).toEqual({
      trailNameList: ['a'],
      includeShadowTrails: false,
    });
  });

  test('timestamps are epoch seconds with or without a fraction', () => {
    expect(decodeInput('LookupEvents', { StartTime: 1758679867, EndTime: 1758679867.25 })).toEqual({
      StartTime: new Date('2025-09-24T02:11:07Z'),
      EndTime: new Date('2025-09-24T02:11:07.250Z'),
    });
  });

  test('maps keep the names that the client chose, as own members', () => {
    const json = JSON.parse('{"QueryParameterValues":{"__proto__":"x","$a":"y"},"QueryAlias":"alias"}') as Json;
    const input = decodeInput('StartQuery', JSON.parse('{"DeliveryS3Uri":"s3://bucket/x"}') as Json);
    expect(input).toEqual({ DeliveryS3Uri: 's3://bucket/x' });
    const values = decodeInput('StartDashboardRefresh', json)['QueryParameterValues'] as object;
    expect(Object.entries(values)).toEqual([
      ['__proto__', 'x'],
      ['$a', 'y'],
    ]);
  });

  test.each([
    ['CreateTrail', null, 'SerializationException: `the body` is null; an object is expected'],
    ['CreateTrail', [], 'SerializationException: `the body` is a list; an object is expected'],
    ['CreateTrail', { Name: 5 }, 'SerializationException: `Name` is `5`; a text is expected'],
    ['CreateTrail', { Name: {} }, 'SerializationException: `Name` is an object; a text is expected'],
    ['CreateTrail', { IsMultiRegionTrail: 'true' }, 'SerializationException: `IsMultiRegionTrail` is a text; true or false is expected'],
    ['LookupEvents', { MaxResults: '5' }, 'SerializationException: `MaxResults` is a text; a whole number is expected'],
    ['LookupEvents', { MaxResults: 5.5 }, 'SerializationException: `MaxResults` is `5.5`; a whole number is expected'],
    ['LookupEvents', { MaxResults: 2147483648 }, 'SerializationException: `MaxResults` is `2147483648`; a whole number is expected'],
    [
      'LookupEvents',
      { StartTime: '2025-09-24T02:11:07Z' },
      'SerializationException: `StartTime` is a text; a time in seconds since 1970 is expected',
    ],
    [
      'LookupEvents',
      { StartTime: 1e15 },
      'SerializationException: `StartTime` is `1000000000000000`; a time in seconds since 1970 is expected',
    ],
    ['LookupEvents', { LookupAttributes: {} }, 'SerializationException: `LookupAttributes` is an object; a list is expected'],
    ['LookupEvents', { LookupAttributes: [null] }, 'SerializationException: `LookupAttributes[0]` is null; an object is expected'],
    [
      'LookupEvents',
      { LookupAttributes: [{ AttributeKey: false }] },
      'SerializationException: `LookupAttributes[0].AttributeKey` is `false`; a text is expected',
    ],
    ['__proto__', {}, 'UnknownOperationException: the operation `__proto__` does not exist'],
    ['constructor', {}, 'UnknownOperationException: the operation `constructor` does not exist'],
  ] as [string, Json, string][])('%s of %j is refused', (operation, json, reason) => {
    expect(decode(operation, json)).toBe(reason);
  });

  test('whatever JSON comes is decoded or refused with a SerializationException', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('CreateTrail', 'LookupEvents', 'PutEventSelectors', 'PutAuditEvents'),
        fc.jsonValue(),
        fc.jsonValue(),
        (operation, some, other) => {
          const json = { Name: some, LookupAttributes: other, StartTime: other, EventSelectors: some, auditEvents: some } as Json;
          expect(decode(operation, json)).toMatch(/^(accepted|SerializationException: )/);
        },
      ),
    );
  });
});

describe('checkConstraints', () => {
  test.each([
    ['LookupEvents', { MaxResults: 50, LookupAttributes: [{ AttributeKey: 'EventName', AttributeValue: 'x' }], EventCategory: 'insight' }],
    ['LookupEvents', {}],
    ['CreateTrail', { Name: '', S3BucketName: '' }],
    ['StartQuery', { QueryStatement: 'SELECT 1\nFROM x', DeliveryS3Uri: 's3://my-bucket/prefix' }],
  ] as [string, Json][])('%s of %j keeps the model', (operation, json) => {
    expect(check(operation, json)).toBe('accepted');
  });

  test.each([
    [
      'LookupEvents',
      { MaxResults: 0 },
      "InvalidMaxResultsException: Value '0' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 1",
    ],
    [
      'LookupEvents',
      { MaxResults: 51 },
      "InvalidMaxResultsException: Value '51' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 50",
    ],
    [
      'LookupEvents',
      { EventCategory: 'data' },
      "InvalidEventCategoryException: Value 'data' at 'eventCategory' failed to satisfy constraint: Member must satisfy enum value set: [insight]",
    ],
    [
      'LookupEvents',
      {
        LookupAttributes: [
          { AttributeKey: 'EventName', AttributeValue: 'x' },
          { AttributeKey: 'EventName', AttributeValue: '' },
        ],
      },
      "InvalidLookupAttributesException: Value '' at 'lookupAttributes.2.member.attributeValue' failed to satisfy constraint: Member must have length greater than or equal to 1",
    ],
    [
      'LookupEvents',
      { LookupAttributes: [{ AttributeValue: 'x' }] },
      "InvalidLookupAttributesException: Value null at 'lookupAttributes.1.member.attributeKey' failed to satisfy constraint: Member must not be null",
    ],
    ['CreateTrail', {}, "InvalidTrailNameException: Value null at 'name' failed to satisfy constraint: Member must not be null"],
    [
      'CreateTrail',
      { Name: 'main' },
      "InvalidS3BucketNameException: Value null at 's3BucketName' failed to satisfy constraint: Member must not be null",
    ],
    [
      'PutAuditEvents',
      {},
      "ValidationException: 2 validation errors detected: Value null at 'auditEvents' failed to satisfy constraint: Member must not be null; Value null at 'channelArn' failed to satisfy constraint: Member must not be null",
    ],
    [
      'PutAuditEvents',
      { auditEvents: [], channelArn: 'arn:x' },
      "ValidationException: 1 validation error detected: Value '[]' at 'auditEvents' failed to satisfy constraint: Member must have length greater than or equal to 1",
    ],
    [
      'StartQuery',
      { DeliveryS3Uri: 'http://x' },
      "InvalidParameterException: 1 validation error detected: Value 'http://x' at 'deliveryS3Uri' failed to satisfy constraint: Member must satisfy regular expression pattern: s3://[a-z0-9][\\.\\-a-z0-9]{1,61}[a-z0-9](/.*)?",
    ],
  ] as [string, Json, string][])('%s of %j is refused with the code that the operation declares', (operation, json, reason) => {
    expect(check(operation, json)).toBe(reason);
  });

  test('what breaks the model is found in the order of its members', () => {
    expect(findProblems('CreateTrail', {}).map(({ member }) => member)).toEqual(['Name', 'S3BucketName']);
  });

  test('a long value is cut in the message, and brings no line ends into it', () => {
    expect(check('LookupEvents', { EventCategory: `a\n${'x'.repeat(500)}` })).toContain(`Value 'a ${'x'.repeat(126)}…' at 'eventCategory'`);
  });
});

describe('encodeOutput', () => {
  test('dates are epoch seconds, bytes base64, absent members left out', () => {
    const output = {
      PublicKeyList: [
        { Value: new Uint8Array([1, 2, 255]), ValidityStartTime: new Date(1758679867250), Fingerprint: 'f', ValidityEndTime: undefined },
      ],
      NextToken: undefined,
    };
    expect(encodeOutput('ListPublicKeys', output)).toEqual({
      PublicKeyList: [{ Value: 'AQL/', ValidityStartTime: 1758679867.25, Fingerprint: 'f' }],
    });
    expect(encodeOutput('DescribeTrails', { trailList: [{ Name: 'main', RecursiveLogging: true }] })).toEqual({
      trailList: [{ Name: 'main', RecursiveLogging: true }],
    });
    expect(encodeOutput('StartLogging', {})).toEqual({});
  });

  test('an output of another shape is a bug', () => {
    expect(() => encodeOutput('GetTrailStatus', { isLogging: true })).toThrow('has no member `isLogging`');
    expect(() => encodeOutput('GetTrailStatus', { IsLogging: 'yes' })).toThrow(
      '`GetTrailStatus.IsLogging` does not have the type of its shape',
    );
    expect(() => encodeOutput('GetTrailStatus', { StartLoggingTime: 1758679867 })).toThrow('StartLoggingTime');
    expect(() => encodeOutput('GetTrailStatus', { StartLoggingTime: new Date(Number.NaN) })).toThrow('StartLoggingTime');
    expect(() => encodeOutput('NoSuchOperation', {})).toThrow('NoSuchOperation');
  });
});

describe('base64', () => {
  test('is what the platform writes, and is read back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(encodeBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'));
        expect(decodeBase64(encodeBase64(bytes))).toEqual(bytes);
      }),
    );
  });

  test.each(['A', 'AA', 'AA=', 'AAA', 'A===', 'AA==\n', 'AB==', 'A-_=', 'AA=A', ' AAAA'])('`%s` is not base64', (text) => {
    expect(decodeBase64(text)).toBeUndefined();
  });
});
