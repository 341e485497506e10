import { describe, expect, test } from 'vitest';
import { plainAuthorizer } from '../../test/support/authorizer.ts';
import { callOf, OWNER, STRANGER } from '../../test/support/intake-rig.ts';
import type { AccessRequest } from '../api/access.ts';
import type { ApiError } from '../api/api-error.ts';
import type { Call, Principal } from '../api/operation.ts';
import type { PrincipalPolicies } from './principal-policies.ts';

const root = callOf(OWNER);
const user: Principal = {
  ...root.principal,
  type: 'IAMUser',
  arn: `arn:aws:iam::${OWNER}:user/alice`,
  principalId: 'AIDAALICE',
  userName: 'alice',
};
const session: Principal = {
  ...root.principal,
  type: 'AssumedRole',
  arn: `arn:aws:sts::${OWNER}:assumed-role/Deploy/alice`,
  principalId: 'AROADEPLOY:alice',
};
const NONE: PrincipalPolicies = { identity: [], serviceControl: [], tags: new Map() };
const trail = `arn:aws:cloudtrail:eu-central-1:${OWNER}:trail/main`;
const stop: AccessRequest = { action: 'cloudtrail:StopLogging', resource: trail };

const document = (...statements: object[]) => JSON.stringify({ Version: '2012-10-17', Statement: statements });
const allowing = (Action: string, more: object = {}) => ({
  name: `allow ${Action}`,
  document: document({ Sid: 'One', Effect: 'Allow', Action, Resource: '*', ...more }),
});

/** `allowed`, or the code and message of the refusal. */
async function ask(
  policies: PrincipalPolicies,
  requests: readonly AccessRequest[],
  principal = user,
  more: Partial<Call> = {},
): Promise<string> {
  const call: Call = { ...root, principal, ...more };
  const authorizer = plainAuthorizer(() => policies);
  try {
    await authorizer.authorize(call, requests);
    return 'allowed';
  } catch (error) {
    return `${(error as ApiError).code}: ${(error as ApiError).message}`;
  }
}

/** Whether a policy with this condition lets the call through. */
async function isMet(
  condition: object,
  policies: Partial<PrincipalPolicies> = {},
  principal = user,
  more: Partial<Call> = {},
): Promise<boolean> {
  const identity = [allowing('cloudtrail:StopLogging', { Condition: condition })];
  return (await ask({ ...NONE, ...policies, identity }, [stop], principal, more)) === 'allowed';
}

describe('a call', () => {
  test('of a root is allowed in its account, and needs the other one’s policy elsewhere', async () => {
    expect(await ask(NONE, [stop], root.principal)).toBe('allowed');
    const theirs = { action: 'kms:Decrypt', resource: `arn:aws:kms:eu-central-1:${STRANGER}:key/1`, found: { owner: STRANGER } };
    const refusal = `AccessDeniedException: User: ${root.principal.arn} is not authorized to perform: kms:Decrypt on resource: ${theirs.resource} because no resource-based policy allows the kms:Decrypt action`;
    expect(await ask(NONE, [theirs], root.principal)).toBe(refusal);
    const open = document({ Effect: 'Allow', Principal: { AWS: OWNER }, Action: 'kms:Decrypt', Resource: '*' });
    expect(await ask(NONE, [{ ...theirs, found: { owner: STRANGER, policy: open } }], root.principal)).toBe('allowed');
    // What the policy there says is nobody's business.
    const closed = document({ Effect: 'Deny', Principal: '*', Action: 'kms:*', Resource: '*' });
    expect(await ask(NONE, [{ ...theirs, found: { owner: STRANGER, policy: closed } }], root.principal)).toBe(refusal);
  });

  test('of a user is denied by default, in the service’s words', async () => {
    expect(await ask(NONE, [stop])).toBe(
      `AccessDeniedException: User: ${user.arn} is not authorized to perform: cloudtrail:StopLogging on resource: ${trail} because no identity-based policy allows the cloudtrail:StopLogging action`,
    );
    const serviceControl = [
      [allowing('*'), { name: 'keep', document: document({ Effect: 'Deny', Action: 'cloudtrail:Stop*', Resource: '*' }) }],
    ];
    expect(await ask({ ...NONE, identity: [allowing('*')], serviceControl }, [stop])).toMatch(
      /with an explicit deny in a service control policy$/,
    );
  });

  test('of keys from GetSessionToken reaches IAM only with a second factor, whatever policies say', async () => {
    const of = (more: object): Principal => ({ ...user, session: { issuedAtMs: 0, tags: [], transitiveTagKeys: [], ...more } });
    const policies = { ...NONE, identity: [allowing('*')] };
    const create = { action: 'iam:CreateAccessKey', resource: user.arn };
    expect(await ask(policies, [create], of({}))).toBe('InvalidClientTokenId: The security token included in the request is invalid');
    expect(await ask(policies, [create], of({ mfaAuthenticatedAtMs: 0 }))).toBe('allowed');
    expect(await ask(policies, [stop, { action: 'iam:PassRole', resource: '*' }], of({}))).toBe('allowed');
  });

  test('needs all that it asks for', async () => {
    const requests = [stop, { action: 'iam:PassRole', resource: `arn:aws:iam::${OWNER}:role/Logs` }];
    const policies = { ...NONE, identity: [allowing('cloudtrail:*')] };
    expect(await ask(policies, requests)).toMatch(/not authorized to perform: iam:PassRole/);
    expect(await ask({ ...NONE, identity: [allowing('cloudtrail:*'), allowing('iam:PassRole')] }, requests)).toBe('allowed');
  });

  test('is refused under the name that the service’s clients know', async () => {
    const codes = ['s3:GetObject', 'iam:CreateUser', 'sts:AssumeRole', 'sns:Publish', 'kms:Decrypt', 'snowtrail:ListAccounts'].map(
      async (action) => (await ask(NONE, [{ action, resource: '*' }])).split(':')[0],
    );
    expect(await Promise.all(codes)).toEqual([
      'AccessDenied',
      'AccessDenied',
      'AccessDenied',
      'AuthorizationError',
      'AccessDeniedException',
      'AccessDeniedException',
    ]);
  });

  test('on another account’s S3 learns nothing, and a role says no reason', async () => {
    const theirs = { action: 's3:GetObject', resource: 'arn:aws:s3:::theirs/x', found: { owner: STRANGER } };
    expect(await ask({ ...NONE, identity: [allowing('*')] }, [theirs])).toBe('AccessDenied: Access Denied');
    const role = { action: 'sts:AssumeRole', resource: `arn:aws:iam::${OWNER}:role/Deploy`, found: { isPolicyRequired: true } };
    expect(await ask({ ...NONE, identity: [allowing('*')] }, [role])).toBe(
      `AccessDenied: User: ${user.arn} is not authorized to perform: sts:AssumeRole on resource: ${role.resource}`,
    );
  });

  test('is refused by a resource’s policy that cannot be read', async () => {
    const policies = { ...NONE, identity: [allowing('*')] };
    expect(await ask(policies, [{ ...stop, found: { policy: '{"Statement":' } }])).toMatch(/no resource-based policy allows/);
  });

  test('fails where a policy of the caller is none: it may have held a denial', async () => {
    const authorizer = plainAuthorizer(() => ({ ...NONE, identity: [{ name: 'broken', document: '{}' }] }));
    await expect(authorizer.authorize({ ...root, principal: user }, [stop])).rejects.toThrow('broken is no policy');
  });
});

describe('the statement that decided', () => {
  test('is known of the call', async () => {
    const authorizer = plainAuthorizer(() => ({ ...NONE, identity: [allowing('cloudtrail:*')] }));
    const call = { ...root, principal: user };
    expect(authorizer.decisionOf(call)).toBeUndefined();
    await authorizer.authorize(call, [stop]);
    expect(authorizer.decisionOf(call)).toEqual({
      action: 'cloudtrail:StopLogging',
      resource: trail,
      outcome: 'allowed',
      policyType: 'identity-based policy',
      policy: 'allow cloudtrail:*',
      statement: 'One',
    });
  });

  test('is none where nothing allowed, and of the root of an account', async () => {
    const authorizer = plainAuthorizer(() => NONE);
    const call = { ...root, principal: user };
    await expect(authorizer.authorize(call, [stop])).rejects.toThrow();
    expect(authorizer.decisionOf(call)).toMatchObject({ outcome: 'not-allowed', policyType: 'identity-based policy' });
    await authorizer.authorize(root, [stop]);
    expect(authorizer.decisionOf(root)).toBeUndefined();
  });
});

describe('a change of policies', () => {
  test('holds for the next call', async () => {
    let policies: PrincipalPolicies = { ...NONE, identity: [allowing('cloudtrail:*')] };
    const authorizer = plainAuthorizer(() => policies);
    const call = { ...root, principal: user };
    await authorizer.authorize(call, [stop]);
    policies = NONE;
    await expect(authorizer.authorize(call, [stop])).rejects.toThrow('not authorized');
  });
});

describe('a condition on the caller', () => {
  const issuedAtMs = root.receivedAtMs - 3_600_000;
  test.each<[what: string, condition: object, policies?: Partial<PrincipalPolicies>, principal?: Principal]>([
    ['its address', { IpAddress: { 'aws:SourceIp': `${root.sourceIpAddress}/32` } }],
    ['its program', { StringLike: { 'aws:UserAgent': '*' } }],
    ['the Region', { StringEquals: { 'aws:RequestedRegion': root.region } }],
    ['the time', { DateGreaterThan: { 'aws:CurrentTime': '2020-01-01' }, NumericGreaterThan: { 'aws:EpochTime': '1000' } }],
    ['its account', { StringEquals: { 'aws:PrincipalAccount': OWNER, 'aws:ResourceAccount': OWNER } }],
    ['its ARN', { ArnEquals: { 'aws:PrincipalArn': user.arn } }],
    ['its name', { StringEquals: { 'aws:username': 'alice', 'aws:userid': 'AIDAALICE', 'aws:PrincipalType': 'User' } }],
    ['no service', { Bool: { 'aws:ViaAWSService': 'false', 'aws:PrincipalIsAWSService': 'false', 'aws:SecureTransport': 'false' } }],
    ['its tags', { StringEquals: { 'aws:PrincipalTag/Team': 'audit' } }, { tags: new Map([['team', 'audit']]) }],
    [
      'its organization',
      { StringEquals: { 'aws:PrincipalOrgID': 'o-1' }, 'ForAnyValue:StringLike': { 'aws:PrincipalOrgPaths': 'o-1/*' } },
      { organizationId: 'o-1', organizationPath: 'o-1/r-1/ou-1/' },
    ],
    ['no second factor of a lasting key', { Null: { 'aws:MultiFactorAuthPresent': 'true', 'aws:TokenIssueTime': 'true' } }],
    [
      'the second factor of a session',
      { Bool: { 'aws:MultiFactorAuthPresent': 'true' }, NumericLessThan: { 'aws:MultiFactorAuthAge': '3601' } },
      { sessionIssuedAtMs: issuedAtMs, mfaAuthenticatedAtMs: issuedAtMs },
      session,
    ],
    [
      'a session without one',
      { Bool: { 'aws:MultiFactorAuthPresent': 'false' }, Null: { 'aws:MultiFactorAuthAge': 'true' } },
      { sessionIssuedAtMs: issuedAtMs },
      session,
    ],
    [
      'the age of a session',
      { DateLessThan: { 'aws:TokenIssueTime': '2100-01-01T00:00:00Z' } },
      { sessionIssuedAtMs: issuedAtMs },
      session,
    ],
    [
      'the role of a session',
      { ArnEquals: { 'aws:PrincipalArn': `arn:aws:iam::${OWNER}:role/team/Deploy` }, Null: { 'aws:username': 'true' } },
      { roleArn: `arn:aws:iam::${OWNER}:role/team/Deploy` },
      session,
    ],
    [
      'who is behind a session',
      { StringEquals: { 'aws:SourceIdentity': 'alice', 'aws:FederatedProvider': 'issuer.example' } },
      { sourceIdentity: 'alice', federatedProvider: 'issuer.example' },
      session,
    ],
  ])('%s', async (_what, condition, policies = {}, principal = user) => {
    expect(await isMet(condition, policies, principal)).toBe(true);
  });

  test('and on what the operation adds', async () => {
    const identity = [allowing('cloudtrail:AddTags', { Condition: { StringEquals: { 'aws:RequestTag/team': 'audit' } } })];
    const tagged = (value: string) => ({
      action: 'cloudtrail:AddTags',
      resource: trail,
      context: new Map([['aws:requesttag/team', [value]]]),
    });
    expect(await ask({ ...NONE, identity }, [tagged('audit')])).toBe('allowed');
    expect(await ask({ ...NONE, identity }, [tagged('other')])).toMatch(/not authorized/);
  });
});
