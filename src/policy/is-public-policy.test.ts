import { describe, expect, test } from 'vitest';
import { isPublicPolicy } from './is-public-policy.ts';
import { parsePolicy } from './parse-policy.ts';

function isPublic(more: object): boolean {
  const statement = { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: '*', ...more };
  const parsed = parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement: [statement] }));
  if (parsed.kind !== 'policy') throw new Error(parsed.reason);
  return isPublicPolicy(parsed.policy);
}

describe('isPublicPolicy', () => {
  test.each([
    ['everyone', {}],
    ['every account', { Principal: { AWS: '*' } }],
    ['a condition that names nobody', { Condition: { Bool: { 'aws:SecureTransport': 'true' } } }],
    ['a negation', { Condition: { StringNotEquals: { 'aws:SourceAccount': '111122223333' } } }],
    ['a key that may be absent', { Condition: { StringEqualsIfExists: { 'aws:SourceAccount': '111122223333' } } }],
    ['an open pattern', { Condition: { StringLike: { 'aws:SourceArn': 'arn:aws:s3:::*' } } }],
    ['a variable', { Condition: { StringEquals: { 'aws:SourceAccount': `$\{aws:PrincipalAccount}` } } }],
    ['all addresses', { Condition: { IpAddress: { 'aws:SourceIp': ['192.0.2.0/24', '0.0.0.0/1'] } } }],
  ])('%s is public', (_, more) => {
    expect(isPublic(more)).toBe(true);
  });

  test.each([
    ['a denial', { Effect: 'Deny' }],
    ['an account', { Principal: { AWS: '111122223333' } }],
    ['a service', { Principal: { Service: 'cloudtrail.amazonaws.com' } }],
    ['everyone of one organization', { Condition: { StringEquals: { 'aws:PrincipalOrgID': 'o-abcdefghij' } } }],
    ['everyone by resources of one account', { Condition: { ArnLike: { 'aws:SourceArn': 'arn:aws:cloudtrail:*:111122223333:trail/*' } } }],
    ['everyone in a range of addresses', { Condition: { IpAddress: { 'aws:SourceIp': '192.0.2.0/24' } } }],
  ])('%s is not', (_, more) => {
    expect(isPublic(more)).toBe(false);
  });
});
