// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of policies are written so.
/** The tricks of reliability.md A16, each a row, and every condition operator at its edges. */
import { describe, expect, test } from 'vitest';
import { evaluatePolicy, type PolicyRequest } from './evaluate-policy.ts';
import { parsePolicy } from './parse-policy.ts';

const request: PolicyRequest = {
  principal: { kind: 'account', account: '111122223333', arn: 'arn:aws:iam::111122223333:user/alice' },
  action: 'cloudtrail:StopLogging',
  resource: 'arn:aws:cloudtrail:eu-central-1:111122223333:trail/main',
  context: new Map(
    Object.entries({
      'aws:username': ['alice'],
      'aws:sourceip': ['203.0.113.7'],
      'aws:tagkeys': ['team', 'cost'],
      'aws:currenttime': ['2026-03-01T12:00:00Z'],
      'aws:epochtime': ['1772366400'],
      'aws:multifactorauthage': ['3600'],
      'aws:multifactorauthpresent': ['true'],
      'aws:sourcearn': ['arn:aws:cloudtrail:eu-central-1:111122223333:trail/main'],
      'x:binary': ['QmluYXJ5'],
      'x:empty': [''],
    }),
  ),
};
const allow = { Effect: 'Allow', Action: 'cloudtrail:StopLogging', Resource: '*' };

function decide(statements: object | object[], change: Partial<PolicyRequest> = {}, version = '2012-10-17'): string {
  const parsed = parsePolicy(JSON.stringify({ Version: version, Statement: statements }), 'identity');
  return parsed.kind === 'malformed' ? 'malformed' : evaluatePolicy(parsed.policy, { ...request, ...change }).kind;
}

const withContext = (members: Record<string, string[]>): Partial<PolicyRequest> => ({
  context: new Map([...request.context, ...Object.entries(members)]),
});
const deny = (statement: object) => [allow, { ...allow, Effect: 'Deny', ...statement }];
/** The statement with members in the place of others. */
const but = (change: Record<string, unknown>) =>
  Object.fromEntries(Object.entries({ ...allow, ...change }).filter(([, value]) => value !== undefined));

describe('a trick with a policy (A16)', () => {
  test.each<[trick: string, statements: object | object[], verdict: string, change?: Partial<PolicyRequest>]>([
    ['`NotAction` leaves out what it names', but({ Action: undefined, NotAction: 'cloudtrail:Stop*' }), 'not-allowed'],
    ['`NotAction` allows all else, of every service', but({ Action: undefined, NotAction: 'iam:*' }), 'allowed'],
    ['a denial with `NotAction` denies all else', deny({ Action: undefined, NotAction: 'cloudtrail:Get*' }), 'denied'],
    [
      '`NotResource` leaves out what it names',
      but({ Resource: undefined, NotResource: 'arn:aws:cloudtrail:*:*:trail/main' }),
      'not-allowed',
    ],
    ['a denial with `NotResource` spares what it names', deny({ Resource: undefined, NotResource: request.resource }), 'allowed'],
    ['`deny` in lower case is refused, not passed over', deny({ Effect: 'deny' }), 'malformed'],
    ['`effect` in lower case is refused', but({ Effect: undefined, effect: 'Deny' }), 'malformed'],
    ['an action has no case', but({ Action: 'CLOUDTRAIL:stoplogging' }), 'allowed'],
    ['a denied action has no case either', deny({ Action: 'CloudTrail:STOPLOGGING' }), 'denied'],
    ['a `*` in the middle of an action', but({ Action: 'cloudtrail:S*g' }), 'allowed'],
    ['a `*` in the middle of an action does not match less', but({ Action: 'cloudtrail:Stop*p*g' }), 'not-allowed'],
    ['a `?` is one character', but({ Action: 'cloudtrail:StopLoggin?' }), 'allowed'],
    ['a `?` is not none', but({ Action: 'cloudtrail:StopLogging?' }), 'not-allowed'],
    ['`*:*` is every action', but({ Action: '*:*' }), 'allowed'],
    ['a denied `*:*` is every action, too', deny({ Action: '*:*' }), 'denied'],
    ['an action of any service', but({ Action: '*:Stop*' }), 'allowed'],
    ['an action of any service does not match others', but({ Action: '*:Start*' }), 'not-allowed'],
    ['a service with a wildcard in it', but({ Action: 'cloud*:StopLogging' }), 'malformed'],
    ['an action without a service', but({ Action: 'StopLogging' }), 'malformed'],
    ['a `*` in the service', but({ Action: 'cloud*:StopLogging' }), 'malformed'],
    ['a `*` in a resource goes over colons and slashes', but({ Resource: 'arn:aws:*:main' }), 'malformed'],
    ['a `*` in the middle of a resource', but({ Resource: 'arn:aws:cloudtrail:*:111122223333:trail/m*n' }), 'allowed'],
    ['a resource has its case', but({ Resource: 'arn:aws:cloudtrail:*:111122223333:trail/MAIN' }), 'not-allowed'],
    [
      'a variable is text',
      but({ Resource: 'arn:aws:cloudtrail:*:*:trail/${aws:username}' }),
      'allowed',
      { resource: 'arn:aws:cloudtrail:x:1:trail/alice' },
    ],
    [
      'a user named `*` is no wildcard',
      but({ Resource: 'arn:aws:cloudtrail:*:*:trail/${aws:username}' }),
      'not-allowed',
      withContext({ 'aws:username': ['*'] }),
    ],
    [
      'a user named `*` is the text',
      but({ Resource: 'arn:aws:cloudtrail:*:*:trail/${aws:username}' }),
      'allowed',
      { ...withContext({ 'aws:username': ['*'] }), resource: 'arn:aws:cloudtrail:x:1:trail/*' },
    ],
    [
      'a user named `${aws:sourceip}` is not filled in again',
      but({ Resource: 'arn:aws:cloudtrail:*:*:trail/${aws:username}' }),
      'not-allowed',
      { ...withContext({ 'aws:username': ['${aws:sourceip}'] }), resource: 'arn:aws:cloudtrail:x:1:trail/203.0.113.7' },
    ],
    ['an absent variable matches nothing', but({ Resource: 'arn:aws:cloudtrail:*:*:trail/${aws:absent}' }), 'not-allowed'],
    ['an absent variable with a default', but({ Resource: "arn:aws:cloudtrail:*:*:trail/${aws:absent, 'main'}" }), 'allowed'],
    ['`ForAllValues` with an absent key is met', but({ Condition: { 'ForAllValues:StringEquals': { 'aws:absent': 'x' } } }), 'allowed'],
    ['`ForAllValues` with empty text alone is met', but({ Condition: { 'ForAllValues:StringEquals': { 'x:empty': 'x' } } }), 'allowed'],
    [
      '`ForAnyValue` with an absent key is not met',
      but({ Condition: { 'ForAnyValue:StringEquals': { 'aws:absent': 'x' } } }),
      'not-allowed',
    ],
    [
      '`ForAnyValue` of a negated operator with an absent key is not met',
      but({ Condition: { 'ForAnyValue:StringNotEquals': { 'aws:absent': 'x' } } }),
      'not-allowed',
    ],
    [
      '`ForAllValues` wants each value',
      but({ Condition: { 'ForAllValues:StringEquals': { 'aws:TagKeys': ['team', 'other'] } } }),
      'not-allowed',
    ],
    [
      '`ForAllValues` of a negated operator wants none',
      but({ Condition: { 'ForAllValues:StringNotEquals': { 'aws:TagKeys': ['cost', 'other'] } } }),
      'not-allowed',
    ],
    ['`ForAnyValue` wants one', but({ Condition: { 'ForAnyValue:StringEquals': { 'aws:TagKeys': ['cost', 'other'] } } }), 'allowed'],
    [
      '`ForAnyValue` of a negated operator wants one that differs',
      but({ Condition: { 'ForAnyValue:StringNotEquals': { 'aws:TagKeys': 'cost' } } }),
      'allowed',
    ],
    ['a negated operator with an absent key is met', but({ Condition: { StringNotEquals: { 'aws:absent': 'x' } } }), 'allowed'],
    ['`Null` true: the key is absent', but({ Condition: { Null: { 'aws:absent': 'true' } } }), 'allowed'],
    ['`Null` false: it is there', but({ Condition: { Null: { 'aws:username': 'false', 'aws:absent': 'false' } } }), 'not-allowed'],
    ['`Null` takes true and false alone', but({ Condition: { Null: { 'aws:username': 'yes' } } }), 'malformed'],
    ['`NullIfExists` is no operator', but({ Condition: { NullIfExists: { 'aws:username': 'true' } } }), 'malformed'],
    ['`IfExists` with an absent key is met', but({ Condition: { BoolIfExists: { 'aws:absent': 'true' } } }), 'allowed'],
    [
      '`IfExists` with a key that is there compares',
      but({ Condition: { StringEqualsIfExists: { 'aws:username': 'bob' } } }),
      'not-allowed',
    ],
    ['`Bool` false does not hold for an absent key', deny({ Condition: { Bool: { 'aws:absent': 'false' } } }), 'allowed'],
    ['`BoolIfExists` false holds for one', deny({ Condition: { BoolIfExists: { 'aws:absent': 'false' } } }), 'denied'],
    ['an unknown operator is refused, not passed over', deny({ Condition: { StringMatches: { 'aws:username': 'alice' } } }), 'malformed'],
    ['an unknown quantifier is refused', but({ Condition: { 'ForSomeValues:StringLike': { 'aws:username': '*' } } }), 'malformed'],
    [
      'all lines of a condition hold together',
      but({ Condition: { StringEquals: { 'aws:username': 'alice' }, StringLike: { 'aws:sourceip': '10.*' } } }),
      'not-allowed',
    ],
    ['a key has no case', but({ Condition: { StringEquals: { 'AWS:UserName': 'alice' } } }), 'allowed'],
    ['a value has', but({ Condition: { StringEquals: { 'aws:username': 'Alice' } } }), 'not-allowed'],
    [
      'a repeated Sid',
      [
        { ...allow, Sid: 'One' },
        { ...allow, Sid: 'One', Effect: 'Deny' },
      ],
      'malformed',
    ],
    ['a Sid with other characters', but({ Sid: 'One two' }), 'malformed'],
    ['an identity policy with a principal', but({ Principal: '*' }), 'malformed'],
    ['a denial beats all, wherever it stands', [{ ...allow, Effect: 'Deny', Action: '*' }, allow], 'denied'],
    ['a denial whose condition is not met', deny({ Condition: { StringEquals: { 'aws:username': 'bob' } } }), 'allowed'],
    [
      'a variable in a number is no number',
      but({ Condition: { NumericLessThan: { 'aws:multifactorauthage': '${aws:epochtime}' } } }),
      'malformed',
    ],
  ])('%s', (_trick, statements, verdict, change = {}) => {
    expect(decide(statements, change)).toBe(verdict);
  });

  test('the older version has no variables', () => {
    const home = but({ Resource: 'arn:aws:cloudtrail:*:*:trail/${aws:username}' });
    expect(decide(home, { resource: 'arn:aws:cloudtrail:x:1:trail/alice' }, '2008-10-17')).toBe('not-allowed');
    expect(decide(home, { resource: 'arn:aws:cloudtrail:x:1:trail/${aws:username}' }, '2008-10-17')).toBe('allowed');
  });

  test.each([
    ['a byte order mark', '\ufeff{"Statement":[]}'],
    ['a repeated member', '{"Statement":{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}}'],
    ['a repeated member in other spelling', '{"Statement":{"Effect":"Deny","\\u0045ffect":"Allow","Action":"*","Resource":"*"}}'],
    ['a comment', '{/* */"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'],
    ['a text after it', '{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}} {}'],
    ['too many characters', JSON.stringify({ Statement: Array.from({ length: 300 }, () => allow) })],
  ])('%s is refused', (_what, text) => {
    expect(parsePolicy(text, 'identity').kind).toBe('malformed');
  });

  test('white space does not count for the size of an identity policy', () => {
    expect(parsePolicy(`{"Statement":[${' '.repeat(20_000)}${JSON.stringify(allow)}]}`, 'identity').kind).toBe('policy');
  });
});

describe('a condition operator', () => {
  const isMet = (operator: string, key: string, value: string | number | boolean) =>
    decide(but({ Condition: { [operator]: { [key]: value } } }));

  test.each<[operator: string, key: string, value: string | number, verdict: string]>([
    ['NumericEquals', 'aws:multifactorauthage', '3600.0', 'allowed'],
    ['NumericEquals', 'aws:multifactorauthage', 3600, 'allowed'],
    ['NumericNotEquals', 'aws:multifactorauthage', '3600', 'not-allowed'],
    ['NumericLessThan', 'aws:multifactorauthage', '3600', 'not-allowed'],
    ['NumericLessThanEquals', 'aws:multifactorauthage', '3600', 'allowed'],
    ['NumericGreaterThan', 'aws:multifactorauthage', '3599.999', 'allowed'],
    ['NumericGreaterThanEquals', 'aws:multifactorauthage', '3600.0000000001', 'not-allowed'],
    ['NumericLessThan', 'aws:username', '5', 'not-allowed'],
    ['NumericLessThan', 'aws:multifactorauthage', '0x10', 'malformed'],
    ['NumericLessThan', 'aws:multifactorauthage', '1e9', 'malformed'],
    ['DateLessThan', 'aws:currenttime', '2026-03-01T12:00:00Z', 'not-allowed'],
    ['DateLessThanEquals', 'aws:currenttime', '2026-03-01T12:00:00Z', 'allowed'],
    ['DateEquals', 'aws:currenttime', '2026-03-01T13:00:00+01:00', 'allowed'],
    ['DateEquals', 'aws:currenttime', '2026-03-01T12:00Z', 'allowed'],
    ['DateEquals', 'aws:currenttime', '1772366400', 'allowed'],
    ['DateEquals', 'aws:epochtime', '2026-03-01T12:00:00Z', 'allowed'],
    ['DateGreaterThan', 'aws:currenttime', '2026-03-01', 'allowed'],
    ['DateGreaterThan', 'aws:currenttime', '2026', 'allowed'],
    ['DateGreaterThanEquals', 'aws:currenttime', '2026-04', 'not-allowed'],
    ['DateNotEquals', 'aws:currenttime', '2026-03-01T12:00:00.001Z', 'allowed'],
    ['DateLessThan', 'aws:currenttime', '2026-02-30T00:00:00Z', 'malformed'],
    ['DateLessThan', 'aws:currenttime', 'tomorrow', 'malformed'],
    ['Bool', 'aws:multifactorauthpresent', 'TRUE', 'allowed'],
    ['Bool', 'aws:multifactorauthpresent', 'false', 'not-allowed'],
    ['Bool', 'aws:multifactorauthpresent', '1', 'malformed'],
    ['BinaryEquals', 'x:binary', 'QmluYXJ5', 'allowed'],
    ['BinaryEquals', 'x:binary', 'qmluyxj5', 'not-allowed'],
    ['BinaryEquals', 'x:binary', 'no base64', 'malformed'],
    ['IpAddress', 'aws:sourceip', '203.0.113.0/24', 'allowed'],
    ['IpAddress', 'aws:sourceip', '203.0.113.7', 'allowed'],
    ['IpAddress', 'aws:sourceip', '203.0.113.8/29', 'not-allowed'],
    ['IpAddress', 'aws:sourceip', '0.0.0.0/0', 'allowed'],
    ['IpAddress', 'aws:sourceip', '::/0', 'not-allowed'],
    ['IpAddress', 'aws:sourceip', '::ffff:203.0.113.0/120', 'allowed'],
    ['NotIpAddress', 'aws:sourceip', '10.0.0.0/8', 'allowed'],
    ['NotIpAddress', 'aws:sourceip', '203.0.0.0/8', 'not-allowed'],
    ['IpAddress', 'aws:sourceip', '203.0.113.0/33', 'malformed'],
    ['IpAddress', 'aws:sourceip', '0313.0.113.7', 'malformed'],
    ['IpAddress', 'aws:sourceip', '203.0.113', 'malformed'],
    ['ArnEquals', 'aws:sourcearn', 'arn:aws:cloudtrail:*:111122223333:trail/*', 'allowed'],
    ['ArnLike', 'aws:sourcearn', 'arn:aws:cloudtrail:*:trail/main', 'not-allowed'],
    ['ArnNotLike', 'aws:sourcearn', 'arn:aws:cloudtrail:us-*:*:*', 'allowed'],
    ['ArnNotEquals', 'aws:sourcearn', 'arn:aws:cloudtrail:*:*:trail/main', 'not-allowed'],
    ['StringNotLike', 'aws:username', 'a*', 'not-allowed'],
    ['StringNotEqualsIgnoreCase', 'aws:username', 'ALICE', 'not-allowed'],
    ['StringLike', 'aws:username', '${aws:username}', 'allowed'],
    ['stringEQUALS', 'aws:username', 'alice', 'allowed'],
  ])('%s on %s with %s: %s', (operator, key, value, verdict) => {
    expect(isMet(operator, key, value)).toBe(verdict);
  });

  test('addresses of version 6 are compared by value', () => {
    const from = (address: string, range: string) =>
      decide(but({ Condition: { IpAddress: { 'aws:SourceIp': range } } }), withContext({ 'aws:sourceip': [address] }));
    expect(from('2001:db8::1', '2001:DB8:0:0::/64')).toBe('allowed');
    expect(from('2001:db8:0:1::1', '2001:db8::/64')).toBe('not-allowed');
    expect(from('::ffff:203.0.113.7', '203.0.113.0/24')).toBe('allowed');
    expect(from('2001:db8::1', '0.0.0.0/0')).toBe('not-allowed');
    expect(['1::2::3/64', '2001:db8::/129', 'fe80::1%eth0', ':1', '1:2:3:4:5:6:7:8:9'].map((range) => from('::1', range))).toEqual(
      Array.from({ length: 5 }, () => 'malformed'),
    );
  });

  test('numbers are compared as they are written, not as floating point', () => {
    const large = withContext({ 'x:size': ['9007199254740993'] });
    expect(decide(but({ Condition: { NumericGreaterThan: { 'x:size': '9007199254740992' } } }), large)).toBe('allowed');
    expect(decide(but({ Condition: { NumericEquals: { 'x:size': '9007199254740992' } } }), large)).toBe('not-allowed');
  });
});

describe('the form of a policy', () => {
  const resource = { ...allow, Principal: { AWS: '111122223333' } };
  const trust = { Effect: 'Allow', Principal: { AWS: '111122223333' }, Action: 'sts:AssumeRole' };

  test.each<[what: string, form: Parameters<typeof parsePolicy>[1], statement: object, verdict: 'policy' | 'malformed']>([
    ['a resource policy names its principals', 'resource', resource, 'policy'],
    ['a resource policy without any', 'resource', allow, 'malformed'],
    ['a service control policy names none', 'service-control', allow, 'policy'],
    ['a service control policy with some', 'service-control', resource, 'malformed'],
    ['a trust policy names no resource', 'trust', trust, 'policy'],
    ['a trust policy with a resource', 'trust', { ...trust, Resource: '*' }, 'malformed'],
    ['a trust policy is about roles', 'trust', { ...trust, Action: 's3:GetObject' }, 'malformed'],
    [
      'a trust policy may tag the session',
      'trust',
      { ...trust, Action: ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'] },
      'policy',
    ],
    [
      'a federated principal',
      'trust',
      { ...trust, Principal: { Federated: 'arn:aws:iam::111122223333:oidc-provider/issuer.example' } },
      'policy',
    ],
    ['a canonical user', 'resource', { ...resource, Principal: { CanonicalUser: '79a5' } }, 'malformed'],
    ['a wildcard in a principal', 'resource', { ...resource, Principal: { AWS: 'arn:aws:iam::111122223333:role/*' } }, 'malformed'],
    [
      'a session as principal',
      'resource',
      { ...resource, Principal: { AWS: 'arn:aws:sts::111122223333:assumed-role/Deploy/alice' } },
      'policy',
    ],
    ['a user without a path as principal', 'resource', { ...resource, Principal: { AWS: 'alice' } }, 'malformed'],
    ['all services as principal', 'resource', { ...resource, Principal: { Service: '*' } }, 'malformed'],
    ['a resource that is no ARN', 'resource', { ...resource, Resource: 'main' }, 'malformed'],
  ])('%s', (_what, form, statement, verdict) => {
    expect(parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement: statement }), form).kind).toBe(verdict);
  });
});
