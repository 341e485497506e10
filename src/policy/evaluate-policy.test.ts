// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of policies are written so.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { evaluatePolicy, type PolicyRequest, statementName } from './evaluate-policy.ts';
import { compileGlob, globOf, matchGlob } from './match-glob.ts';
import { parsePolicy } from './parse-policy.ts';

const trailArn = 'arn:aws:cloudtrail:eu-central-1:123837392027:trail/main';
const put: PolicyRequest = {
  principal: { kind: 'service', service: 'cloudtrail.amazonaws.com' },
  action: 's3:PutObject',
  resource: 'arn:aws:s3:::evidence/AWSLogs/123837392027/CloudTrail/x.json.gz',
  context: new Map([
    ['s3:x-amz-acl', ['bucket-owner-full-control']],
    ['aws:sourcearn', [trailArn]],
    ['aws:sourceaccount', ['123837392027']],
  ]),
};
const write = {
  Sid: 'AWSCloudTrailWrite20150319',
  Effect: 'Allow',
  Principal: { Service: 'cloudtrail.amazonaws.com' },
  Action: 's3:PutObject',
  Resource: 'arn:aws:s3:::evidence/AWSLogs/123837392027/*',
  Condition: { StringEquals: { 's3:x-amz-acl': 'bucket-owner-full-control', 'AWS:SourceArn': trailArn } },
};

/** The verdict in one word, or two with the statement that decided. */
function decide(statements: object | object[], request: PolicyRequest = put, version = '2012-10-17'): string {
  const parsed = parsePolicy(JSON.stringify({ Version: version, Statement: statements }));
  if (parsed.kind === 'malformed') return `malformed: ${parsed.reason}`;
  const verdict = evaluatePolicy(parsed.policy, request);
  return verdict.kind === 'not-allowed' ? verdict.kind : `${verdict.kind} ${statementName(verdict.statement)}`;
}

/** Whether a condition lets the documented statement through. */
function isMet(condition: object, request: PolicyRequest = put): boolean {
  return decide({ ...write, Condition: condition }, request).startsWith('allowed');
}

describe('evaluatePolicy', () => {
  test('the documented statement allows the trail to put at its prefix, and nothing else', () => {
    expect(decide(write)).toBe('allowed AWSCloudTrailWrite20150319');
    const others: Partial<PolicyRequest>[] = [
      { resource: 'arn:aws:s3:::evidence/AWSLogs/999999999999/x' },
      { resource: 'arn:aws:s3:::other/AWSLogs/123837392027/x' },
      { action: 's3:GetObject' },
      { principal: { kind: 'service', service: 'config.amazonaws.com' } },
      { principal: { kind: 'account', account: '123837392027', arn: 'arn:aws:iam::123837392027:root' } },
      { context: new Map([...put.context, ['aws:sourcearn', [`${trailArn}2`]]]) },
      { context: new Map([...put.context].filter(([key]) => key !== 's3:x-amz-acl')) },
    ];
    expect(others.map((change) => decide(write, { ...put, ...change }))).toEqual(others.map(() => 'not-allowed'));
  });

  test('a statement that denies wins, wherever it stands', () => {
    const deny = { Sid: 'No', Effect: 'Deny', Principal: '*', Action: 's3:*', Resource: '*' };
    expect(decide([write, deny])).toBe('denied No');
    expect(decide([deny, write])).toBe('denied No');
    expect(decide([{ ...deny, Condition: { Bool: { 'aws:SecureTransport': 'false' } } }, write])).toMatch(/^allowed/);
  });

  test('principals: everyone, an account by number or root, a user by ARN, a service by name', () => {
    const arn = 'arn:aws:iam::111122223333:user/alice';
    const alice: PolicyRequest = { ...put, principal: { kind: 'account', account: '111122223333', arn } };
    const forms = ['*', { AWS: '*' }, { AWS: '111122223333' }, { AWS: ['999999999999', 'arn:aws:iam::111122223333:root'] }, { AWS: arn }];
    expect(forms.map((Principal) => decide({ ...write, Principal }, alice))).toEqual(forms.map(() => 'allowed AWSCloudTrailWrite20150319'));
    const others = [
      { AWS: '111122223334' },
      { AWS: 'arn:aws:iam::111122223333:user/bob' },
      { Service: 'iam.amazonaws.com' },
      { Federated: arn },
    ];
    expect(others.map((Principal) => decide({ ...write, Principal }, alice))).toEqual(others.map(() => 'not-allowed'));
    const { Principal: _, ...rest } = write;
    expect(decide({ ...rest, NotPrincipal: { AWS: '111122223333' } }, alice)).toBe('not-allowed');
    expect(decide({ ...rest, NotPrincipal: { AWS: '111122223333' } })).toMatch(/^allowed/);
  });

  test('actions have no case, resources have; both have a negated form', () => {
    expect(decide({ ...write, Action: ['S3:put*'] })).toMatch(/^allowed/);
    expect(decide({ ...write, Action: '*' })).toMatch(/^allowed/);
    expect(decide({ ...write, Resource: write.Resource.replace('evidence', 'EVIDENCE') })).toBe('not-allowed');
    const { Action: _, Resource: __, ...rest } = write;
    expect(decide({ ...rest, NotAction: 's3:Get*', NotResource: 'arn:aws:s3:::evidence/private/*' })).toMatch(/^allowed/);
    expect(decide({ ...rest, NotAction: 's3:Put*', Resource: '*' })).toBe('not-allowed');
    expect(decide({ ...rest, Action: '*', NotResource: 'arn:aws:s3:::evidence/*' })).toBe('not-allowed');
  });

  test('condition operators: text, wildcards, ARNs, booleans, absence', () => {
    const met: object[] = [
      { StringEquals: { 'aws:SourceAccount': ['1', '123837392027'] } },
      { StringNotEquals: { 'aws:SourceAccount': '1' } },
      { StringNotEquals: { 'aws:absent': '1' } },
      { StringEqualsIgnoreCase: { 's3:x-amz-acl': 'BUCKET-owner-full-control' } },
      { StringLike: { 'aws:SourceArn': 'arn:aws:cloudtrail:*:123837392027:trail/ma?n' } },
      { StringNotLike: { 'aws:SourceArn': 'arn:aws:sns:*' } },
      { ArnLike: { 'aws:SourceArn': 'arn:aws:cloudtrail:*:123837392027:trail/*' } },
      { ArnEquals: { 'aws:SourceArn': trailArn } },
      { ArnNotLike: { 'aws:SourceArn': 'arn:aws:cloudtrail:us-*:*:*' } },
      { StringEqualsIfExists: { 'aws:absent': 'x', 'aws:SourceAccount': '123837392027' } },
      { Null: { 'aws:absent': 'true', 'aws:SourceArn': false } },
      { 'ForAllValues:StringEquals': { 'aws:absent': 'x' } },
      { 'ForAnyValue:StringLike': { 'aws:SourceAccount': '1238*' } },
    ];
    expect(met.filter((condition) => !isMet(condition))).toEqual([]);
    const unmet: object[] = [
      { StringEquals: { 'aws:absent': 'x' } },
      { StringEquals: { 'aws:SourceAccount': '1238*' } },
      { StringNotEquals: { 'aws:SourceAccount': ['1', '123837392027'] } },
      { ArnLike: { 'aws:SourceArn': 'arn:*' } },
      { ArnLike: { 'aws:SourceArn': 'arn:aws:cloudtrail:*:trail/main' } },
      { Bool: { 'aws:SecureTransport': 'true' } },
      { Null: { 'aws:absent': 'false' } },
      { StringEqualsIfExists: { 'aws:SourceAccount': 'x' } },
      { StringEquals: { 'aws:SourceAccount': '123837392027' }, StringLike: { 'aws:SourceArn': 'x' } },
      { 'ForAnyValue:StringEquals': { 'aws:absent': 'x' } },
    ];
    expect(unmet.filter((condition) => isMet(condition))).toEqual([]);
  });

  test('several values of the request: each must pass a negated operator, one suffices for another', () => {
    const request = { ...put, context: new Map([['aws:tagkeys', ['a', 'b']]]) };
    expect(isMet({ StringEquals: { 'aws:TagKeys': 'a' } }, request)).toBe(true);
    expect(isMet({ StringNotEquals: { 'aws:TagKeys': 'a' } }, request)).toBe(false);
    expect(isMet({ 'ForAllValues:StringEquals': { 'aws:TagKeys': 'a' } }, request)).toBe(false);
    expect(isMet({ 'ForAllValues:StringEquals': { 'aws:TagKeys': ['a', 'b', 'c'] } }, request)).toBe(true);
  });

  test('variables are filled in as text in the newer version alone', () => {
    const home = { ...write, Resource: 'arn:aws:s3:::evidence/AWSLogs/${aws:SourceAccount}/*' };
    expect(decide(home)).toMatch(/^allowed/);
    expect(decide(home, put, '2008-10-17')).toBe('not-allowed');
    const star = { ...put, context: new Map([...put.context, ['aws:sourceaccount', ['*']]]) };
    expect(decide(home, star)).toBe('not-allowed');
    expect(decide({ ...write, Resource: 'arn:aws:s3:::${aws:absent}/*' })).toBe('not-allowed');
    expect(decide({ ...write, Resource: "arn:aws:s3:::${aws:absent, 'evidence'}/*" })).toMatch(/^allowed/);
    expect(decide({ ...write, Resource: 'arn:aws:s3:::evidence/${*}' })).toBe('not-allowed');
  });
});

describe('parsePolicy', () => {
  test('refuses what is no policy, with the place named', () => {
    const { Action: _, ...withoutAction } = write;
    const policies: [policy: string, reason: RegExp][] = [
      ['', /not JSON/],
      ['[]', /not an object/],
      ['{"Version":"2012-10-17","Statement":[]}', /empty/],
      ['{"Version":"2013-01-01","Statement":{}}', /Version/],
      [JSON.stringify({ Statement: withoutAction }), /one of `Action` and `NotAction`/],
      [JSON.stringify({ Statement: { ...write, NotAction: 's3:*' } }), /one of `Action` and `NotAction`/],
      [JSON.stringify({ Statement: [write, { ...write, Effect: 'allow' }] }), /Statement\[1\]\.Effect/],
      [JSON.stringify({ Statement: { ...write, Actions: 's3:*' } }), /`Actions`/],
      [JSON.stringify({ Statement: { ...write, Action: [7] } }), /Action/],
      [JSON.stringify({ Statement: { ...write, Principal: 'cloudtrail.amazonaws.com' } }), /Principal/],
      [JSON.stringify({ Statement: { ...write, Principal: {} } }), /nobody/],
      [JSON.stringify({ Statement: { ...write, Condition: { StringEquals: 'x' } } }), /Condition\.StringEquals/],
      [JSON.stringify({ Statement: { ...write, Sid: 'x'.repeat(40_000) } }), /at most/],
      ['{"Statement":{"__proto__":{},"Effect":"Allow"}}', /__proto__/],
    ];
    for (const [policy, reason] of policies)
      expect(parsePolicy(policy)).toEqual({ kind: 'malformed', reason: expect.stringMatching(reason) });
  });

  test('any text is read or refused, never thrown at', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => ['policy', 'malformed'].includes(parsePolicy(text).kind)));
  });
});

describe('matchGlob', () => {
  test('agrees with the obvious matcher', () => {
    const obvious = (pattern: string, text: string): boolean => {
      if (pattern === '') return text === '';
      if (pattern[0] === '*') return obvious(pattern.slice(1), text) || (text !== '' && obvious(pattern, text.slice(1)));
      return text !== '' && (pattern[0] === '?' || pattern[0] === text[0]) && obvious(pattern.slice(1), text.slice(1));
    };
    const of = (alphabet: string, maxLength: number) => fc.string({ unit: fc.constantFrom(...alphabet), maxLength });
    fc.assert(fc.property(of('ab*?', 8), of('ab', 10), (pattern, text) => matchGlob(globOf(pattern), text) === obvious(pattern, text)));
  });

  test('is what a compiled pattern does, in other characters as well', () => {
    const of = (alphabet: string, maxLength: number) => fc.string({ unit: fc.constantFrom(...Array.from(alphabet)), maxLength });
    fc.assert(
      fc.property(of('aé😀*?', 8), of('aé😀', 10), (pattern, text) => compileGlob(pattern)(text) === matchGlob(globOf(pattern), text)),
    );
    expect(compileGlob('a*ab*b')('ab')).toBe(false);
  });

  test('a pattern of many stars takes no time to speak of (A67)', () => {
    const glob = globOf(`${'*a'.repeat(500)}b`);
    const startedAt = performance.now();
    expect(matchGlob(glob, 'a'.repeat(2_000))).toBe(false);
    expect(performance.now() - startedAt).toBeLessThan(200);
  });
});
