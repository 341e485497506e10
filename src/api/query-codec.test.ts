import { describe, expect, test } from 'vitest';
import { queryService } from './model.ts';
import type { QueryServiceModel } from './model-types.ts';
import { decodeQuery, encodeQuery } from './query-codec.ts';

const iam = queryService('iam');
const sts = queryService('sts');
const decode = (service: QueryServiceModel, operation: string, parameters: Record<string, string>) =>
  decodeQuery(service, operation, parameters);

describe('decodeQuery', () => {
  test('reads lists of structures by their numbers, whatever order they come in', () => {
    const input = decode(iam, 'CreateUser', {
      UserName: 'alice',
      'Tags.member.2.Key': 'b',
      'Tags.member.2.Value': '2',
      'Tags.member.10.Key': 'c',
      'Tags.member.10.Value': '',
      'Tags.member.1.Value': '1',
      'Tags.member.1.Key': 'a',
    });
    expect(input).toEqual({
      UserName: 'alice',
      Tags: [
        { Key: 'a', Value: '1' },
        { Key: 'b', Value: '2' },
        { Key: 'c', Value: '' },
      ],
    });
  });

  test('reads an empty list, numbers and booleans', () => {
    expect(decode(iam, 'TagUser', { UserName: 'alice', Tags: '' })).toEqual({ UserName: 'alice', Tags: [] });
    expect(decode(iam, 'ListPolicies', { MaxItems: '7', OnlyAttached: 'true' })).toEqual({ MaxItems: 7, OnlyAttached: true });
  });

  test('drops what the model does not have', () => {
    expect(decode(iam, 'GetUser', { UserName: 'alice', NewerMember: 'x', '__proto__.x': 'y' })).toEqual({ UserName: 'alice' });
  });

  test('an operation that is not built has no input', () => {
    expect(decode(iam, 'CreateSAMLProvider', { Name: 'x' })).toEqual({});
    expect(decode(iam, 'constructor', { Name: 'x' })).toEqual({});
  });

  test.each([
    ['ListUsers', { MaxItems: 'many' }],
    ['ListPolicies', { OnlyAttached: 'yes' }],
    ['CreateUser', { UserName: 'alice', 'Tags.member.x.Key': 'a' }],
    ['CreateUser', { 'UserName.member.1': 'alice' }],
    ['CreateUser', { 'a.b.c.d.e.f.g.h.i.j.k': 'deep' }],
  ])('%s %j is malformed', (operation, parameters) => {
    expect(() => decode(iam, operation, parameters)).toThrow(expect.objectContaining({ code: 'MalformedInput', status: 400 }));
  });

  test.each([
    [
      'CreateUser',
      { UserName: 'al ice' },
      "Value 'al ice' at 'userName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]+",
    ],
    ['CreateUser', {}, "Value null at 'userName' failed to satisfy constraint: Member must not be null"],
    [
      'ListUsers',
      { MaxItems: '0' },
      "Value '0' at 'maxItems' failed to satisfy constraint: Member must have value greater than or equal to 1",
    ],
    [
      'TagUser',
      { UserName: 'a', 'Tags.member.1.Key': 'k!', 'Tags.member.1.Value': 'ü' },
      "Value 'k!' at 'tags.1.member.key' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+",
    ],
  ])('%s %j is refused in the words of the service', (operation, parameters, problem) => {
    const refusal = expect.objectContaining({ code: 'ValidationError', status: 400, message: `1 validation error detected: ${problem}` });
    expect(() => decode(iam, operation, parameters as Record<string, string>)).toThrow(refusal);
  });
});

test('many wrong members are counted, and the first of them told', () => {
  const tags = Object.fromEntries(Array.from({ length: 5_000 }, (_, at) => [`Tags.member.${at + 1}.Key`, `k${at}!`]));
  let message = '';
  try {
    decode(iam, 'TagUser', { UserName: 'a', ...tags });
  } catch (error) {
    ({ message } = error as Error);
  }
  expect(message).toMatch(/^\d{4,} validation errors detected: .*; and \d+ more$/);
  expect(message.length).toBeLessThan(20_000);
});

describe('encodeQuery', () => {
  test('writes lists as members, maps as entries and times without fractions', () => {
    const user = { Path: '/', UserName: 'alice', UserId: 'AIDA', Arn: 'arn', CreateDate: new Date(1_767_324_645_678) };
    expect(encodeQuery(iam, 'ListUsers', { Users: [user], IsTruncated: false })).toEqual({
      Users: { member: [{ ...user, CreateDate: '2026-01-02T03:30:45Z' }] },
      IsTruncated: 'false',
    });
    expect(encodeQuery(iam, 'GetAccountSummary', { SummaryMap: { Users: 3 } })).toEqual({
      SummaryMap: { entry: [{ key: 'Users', value: '3' }] },
    });
  });

  test('an operation without output has no result', () => {
    expect(encodeQuery(iam, 'DeleteUser', {})).toBeNull();
  });

  test('an output that the model does not have is a bug', () => {
    expect(() => encodeQuery(sts, 'GetCallerIdentity', { Name: 'x' })).toThrow('the output `GetCallerIdentity` has no member `Name`');
  });
});
