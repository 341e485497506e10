/**
 * Prints how much the choke point adds to a call, in microseconds at the median, and as a ratio of one HMAC-SHA-256 key derivation
 * and signature, which every call needs anyway.
 *
 * Run: `npm run build && node bench/run.mjs authorization`.
 * Input: a user with 5 policies of 10 statements, 40 actions and 2 conditions each, a boundary, two levels of service control
 * policies, and a bucket's policy of 10 statements; 50,000 calls, one at a time.
 */
import { createHmac } from 'node:crypto';
import { Authorizer } from '../src/access/authorize.ts';
import type { PolicyDocument, PrincipalPolicies } from '../src/access/principal-policies.ts';
import type { Call } from '../src/api/operation.ts';
import type { AccountId, Region } from '../src/event/types.ts';

const CALLS = 50_000;
const account = '123837392027' as AccountId;
const bucket = 'arn:aws:s3:::evidence';

const statement = (index: number, more: object) => ({
  Sid: `Statement${index}`,
  Effect: index % 5 === 0 ? 'Deny' : 'Allow',
  Action: Array.from({ length: 4 }, (_, at) => (at === 0 ? `s3:Get${index}*` : `s3:Action${index}x${at}`)),
  Resource: [`${bucket}/prefix-${index}/*`, `${bucket}/\${aws:username}/${index}/*`],
  Condition: { StringEquals: { 'aws:PrincipalTag/team': 'audit' }, IpAddress: { 'aws:SourceIp': ['10.0.0.0/8', '192.0.2.0/24'] } },
  ...more,
});
const last = { Sid: 'Last', Effect: 'Allow', Action: 's3:GetObject', Resource: `${bucket}/*` };
const policy = (name: string, more: object, ...rest: object[]): PolicyDocument => ({
  name,
  document: JSON.stringify({
    Version: '2012-10-17',
    Statement: [...Array.from({ length: 10 }, (_, index) => statement(index, more)), ...rest],
  }),
});
const policies: PrincipalPolicies = {
  identity: Array.from({ length: 5 }, (_, index) => policy(`policy ${index}`, {}, ...(index === 4 ? [last] : []))),
  boundary: policy('boundary', {}, last),
  serviceControl: [[policy('root level', {}, last)], [policy('account level', {}, last)]],
  tags: new Map([['team', 'audit']]),
};
const resourcePolicy = policy('bucket', { Principal: { AWS: `arn:aws:iam::${account}:user/bob` } }).document;
const authorizer = new Authorizer({
  findPolicies: () => policies,
  findResource: async () => ({ owner: account, policy: resourcePolicy }),
  organizationOf: () => ({}),
});

const call = (): Call => ({
  principal: {
    type: 'IAMUser',
    account,
    arn: `arn:aws:iam::${account}:user/alice`,
    principalId: 'AIDAALICE',
    accessKeyId: 'AKIAALICE',
    userName: 'alice',
    isAdministrator: false,
  },
  account,
  region: 'eu-central-1' as Region,
  requestId: 'request',
  sourceIpAddress: '192.0.2.7',
  userAgent: 'aws-cli/1.45.11',
  receivedAtMs: Date.UTC(2026, 0, 2),
});
const request = { action: 's3:GetObject', resource: `${bucket}/alice/report.csv` };

const ours: number[] = [];
const reference: number[] = [];
for (let index = 0; index < CALLS; index++) {
  const from = performance.now();
  await authorizer.authorize(call(), [request]);
  const between = performance.now();
  let key: string | Buffer = 'AWS4secret';
  for (const part of ['20260102', 'eu-central-1', 's3', 'aws4_request', 'text to sign'])
    key = createHmac('sha256', key).update(part).digest();
  reference.push(performance.now() - between);
  ours.push(between - from);
}
const at = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length * share)]! * 1000;
const ratio = at(ours, 0.5) / at(reference, 0.5);
console.log(
  `authorization: ${at(ours, 0.5).toFixed(1)} µs a call at the median, ${at(ours, 0.99).toFixed(1)} at p99; ${ratio.toFixed(1)} of a signature's ${at(reference, 0.5).toFixed(1)} µs (${CALLS} calls)`,
);
