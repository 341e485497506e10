import { describe, expect, test } from 'vitest';
import { ApiError } from '../api/api-error.ts';
import { NETWORK_SOURCES } from './network-sources.ts';
import { readSelectors, type SelectorsInput } from './read-selectors.ts';
import { resourceTypes } from './resource-types.ts';
import { type AdvancedEventSelector, type FieldSelector, OPERATORS } from './selectors.ts';

function refusal(input: unknown): string {
  try {
    return `no refusal: ${JSON.stringify(readSelectors(input as SelectorsInput))}`;
  } catch (error) {
    if (error instanceof ApiError) return `${error.code}: ${error.message}`;
    throw error;
  }
}

const category = (name: string): FieldSelector => ({ Field: 'eventCategory', Equals: [name] });
const type = (name: string): FieldSelector => ({ Field: 'resources.type', Equals: [name] });
const of = (...FieldSelectors: readonly FieldSelector[]): AdvancedEventSelector => ({ FieldSelectors });
const advanced = (...selectors: readonly AdvancedEventSelector[]) => refusal({ AdvancedEventSelectors: selectors });
const basic = (...EventSelectors: readonly object[]) => refusal({ EventSelectors });
const TAKEN = /^no refusal/;

/** Beginnings of valid selectors, by category. */
const BASES: Readonly<Record<string, readonly FieldSelector[]>> = {
  Management: [category('Management')],
  Data: [category('Data'), type('AWS::S3::Object')],
  NetworkActivity: [category('NetworkActivity'), { Field: 'eventSource', Equals: ['ec2.amazonaws.com'] }],
};

describe('advanced selectors', () => {
  /** What cloudtrail.md §4.3 allows, beside what each category requires: operators by field, `any` for all. */
  const ALLOWED: Readonly<Record<string, Readonly<Record<string, 'any' | readonly string[]>>>> = {
    Management: { readOnly: ['Equals'], eventSource: ['NotEquals'] },
    Data: {
      readOnly: ['Equals'],
      eventName: 'any',
      eventSource: 'any',
      eventType: 'any',
      sessionCredentialFromConsole: ['Equals', 'NotEquals'],
      'userIdentity.arn': 'any',
      'resources.ARN': 'any',
    },
    NetworkActivity: { eventName: 'any', errorCode: ['Equals'], vpcEndpointId: 'any' },
  };
  const FIELDS = [...new Set(Object.values(ALLOWED).flatMap((fields) => Object.keys(fields))), 'eventID', 'constructor'];
  const VALUES: Readonly<Record<string, string>> = {
    readOnly: 'true',
    eventSource: 'kms.amazonaws.com',
    sessionCredentialFromConsole: 'true',
    'resources.ARN': 'arn:aws:s3:::bucket/key',
    errorCode: 'VpceAccessDenied',
  };
  const cases = Object.keys(ALLOWED).flatMap((name) => FIELDS.flatMap((field) => OPERATORS.map((operator) => ({ name, field, operator }))));

  test.each(cases)('$name events: $field $operator', ({ name, field, operator }) => {
    const rule = Object.hasOwn(ALLOWED[name]!, field) ? ALLOWED[name]![field]! : [];
    const isAllowed = rule === 'any' || rule.includes(operator);
    const text = advanced(of(...BASES[name]!, { Field: field, [operator]: [VALUES[field] ?? 'value'] }));
    expect(text).toMatch(isAllowed ? TAKEN : /^InvalidEventSelectorsException: /);
    if (!isAllowed) expect(text).toContain(field);
  });

  test('all types and all network sources are taken, and no others; the refusal names place and value', () => {
    for (const each of resourceTypes()) expect(advanced(of(category('Data'), type(each)))).toMatch(TAKEN);
    for (const each of NETWORK_SOURCES)
      expect(advanced(of(category('NetworkActivity'), { Field: 'eventSource', Equals: [each] }))).toMatch(TAKEN);
    expect([resourceTypes().length, NETWORK_SOURCES.size]).toEqual([175, 76]);
    expect(advanced(of(...BASES['Data']!), of(category('Data'), type('AWS::S3::Bucket')))).toMatch(
      /AdvancedEventSelectors\[1\]: resources\.type is `AWS::S3::Bucket`, which is no type/,
    );
    expect(advanced(of(category('NetworkActivity'), { Field: 'eventSource', Equals: ['iam.amazonaws.com'] }))).toMatch(
      /AdvancedEventSelectors\[0\]: eventSource is `iam\.amazonaws\.com`/,
    );
  });

  test('each needs a category that a trail has, and data events one type', () => {
    expect(advanced(of({ Field: 'readOnly', Equals: ['true'] }))).toMatch(/AdvancedEventSelectors\[0\] has no field eventCategory/);
    for (const name of ['Insight', 'ActivityAuditLog', 'constructor'])
      expect(advanced(of(category(name)))).toMatch(new RegExp(`eventCategory is \`${name}\`; it must be`));
    expect(advanced(of(category('Data')))).toMatch(/has no field resources\.type/);
    expect(advanced(of(category('Data'), type('AWS::S3::Object'), type('AWS::SQS::Queue')))).toMatch(
      /must have the field resources\.type once/,
    );
    expect(advanced(of(category('Data'), { Field: 'resources.type', Equals: ['AWS::S3::Object', 'AWS::SQS::Queue'] }))).toMatch(
      /with Equals and one value/,
    );
    expect(advanced(of({ Field: 'eventCategory', Equals: ['Data'], NotEquals: ['Management'] }))).toMatch(/with Equals and one value/);
    expect(advanced(of())).toMatch(/has no field eventCategory/);
  });

  test('a whole ARN must be one of the type; parts of ARNs may be anything', () => {
    const arn = (condition: object) => advanced(of(...BASES['Data']!, { Field: 'resources.ARN', ...condition }));
    expect(arn({ Equals: ['arn:aws-cn:s3:::bucket/key'] })).toMatch(TAKEN);
    expect(arn({ NotEquals: ['arn:aws:sqs:eu-central-1:111122223333:q'] })).toMatch(
      /resources\.ARN has `arn:aws:sqs:.*` *, which is no whole ARN of AWS::S3::Object/,
    );
    expect(arn({ Equals: ['bucket'] })).toMatch(/no whole ARN/);
    expect(arn({ StartsWith: ['arn:aws:sqs:'], NotEndsWith: ['*'] })).toMatch(TAKEN);
  });

  test('a field has an operator, and an operator has values', () => {
    expect(advanced(of(...BASES['Data']!, { Field: 'eventName' }))).toMatch(/FieldSelectors\[2\] has no operator for eventName/);
    expect(advanced(of(...BASES['Data']!, { Field: 'eventName', Equals: [] }))).toMatch(/FieldSelectors\[2\]\.Equals is empty/);
    expect(advanced(of(...BASES['Management']!, { Field: 'readOnly', Equals: ['yes'] }))).toMatch(
      /FieldSelectors\[1\]\.Equals\[0\] is `yes`; it must be `true` or `false`/,
    );
  });

  test('at most 500 values over all of them', () => {
    const names = (count: number) =>
      of(...BASES['Data']!, { Field: 'eventName', Equals: Array.from({ length: count }, (_, index) => `Name${index}`) });
    expect(advanced(names(248), names(248))).toMatch(TAKEN);
    expect(advanced(names(248), names(249))).toMatch(/has 501 values over all its conditions; at most 500/);
  });
});

describe('basic selectors', () => {
  test('get their defaults; what leaves no sources out stays without that member', () => {
    expect(readSelectors({ EventSelectors: [{}] })).toEqual({
      eventSelectors: [{ ReadWriteType: 'All', IncludeManagementEvents: true, DataResources: [] }],
    });
  });

  test('one to five, and not beside advanced ones', () => {
    expect(basic({}, {}, {}, {}, {})).toMatch(TAKEN);
    expect(basic({}, {}, {}, {}, {}, {})).toMatch(/has 6 selectors; at most 5/);
    expect(refusal({ EventSelectors: [], AdvancedEventSelectors: [] })).toMatch(/both lists are empty/);
    expect(refusal({})).toMatch(/both lists are empty/);
    expect(refusal({ EventSelectors: [{}], AdvancedEventSelectors: [of(category('Management'))] })).toMatch(/not both/);
  });

  const resource = (Type: string, ...Values: readonly string[]) => basic({ DataResources: [{ Type, Values }] });

  test('three types of data resources, each with its values', () => {
    for (const value of ['arn:aws:s3', 'arn:aws:s3:::', 'arn:aws-us-gov:s3', 'arn:aws:s3:::bucket/prefix', 'arn:aws:s3:::*/*'])
      expect(resource('AWS::S3::Object', value)).toMatch(TAKEN);
    expect(resource('AWS::S3::Object', 'arn:aws:s3:::a/', 'bucket')).toMatch(
      /EventSelectors\[0\]\.DataResources\[0\]\.Values\[1\] is `bucket`; it must be `arn:aws:s3` for all/,
    );
    expect(resource('AWS::Lambda::Function', 'arn:aws:lambda', 'arn:aws:lambda:eu-central-1:111122223333:function:f')).toMatch(TAKEN);
    expect(resource('AWS::Lambda::Function', 'arn:aws:dynamodb')).toMatch(/Values\[0\] is `arn:aws:dynamodb`/);
    expect(resource('AWS::DynamoDB::Table', 'arn:aws:dynamodb:eu-central-1:111122223333:table/t')).toMatch(TAKEN);
    expect(resource('AWS::SQS::Queue')).toMatch(/DataResources\[0\]\.Type is `AWS::SQS::Queue`/);
  });

  test('at most 250 values over all of them; values for all resources do not count', () => {
    const values = (count: number) => Array.from({ length: count }, (_, index) => `arn:aws:s3:::bucket-${index}/`);
    expect(resource('AWS::S3::Object', 'arn:aws:s3', ...values(250))).toMatch(TAKEN);
    expect(resource('AWS::S3::Object', ...values(251))).toMatch(/has 251 values of data resources; at most 250/);
  });

  test('two sources may be left out', () => {
    expect(basic({ ExcludeManagementEventSources: ['kms.amazonaws.com', 'rdsdata.amazonaws.com'] })).toMatch(TAKEN);
    expect(basic({ ExcludeManagementEventSources: ['iam.amazonaws.com'] })).toMatch(
      /ExcludeManagementEventSources\[0\] is `iam\.amazonaws\.com`/,
    );
    expect(basic({ ReadWriteType: 'Some' })).toMatch(/ReadWriteType is `Some`/);
  });
});
