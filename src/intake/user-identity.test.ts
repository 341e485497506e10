import { describe, expect, test } from 'vitest';
import type { Principal, PrincipalSession } from '../api/operation.ts';
import type { AccountId } from '../event/types.ts';
import { foreignIdentity, userIdentity } from './user-identity.ts';

const account = '111122223333' as AccountId;
const SESSION: PrincipalSession = { issuedAtMs: Date.UTC(2025, 0, 22, 22, 5, 56, 789), tags: [], transitiveTagKeys: [] };
const USER: Principal = {
  type: 'IAMUser',
  account,
  arn: 'arn:aws:iam::111122223333:user/team/alice',
  principalId: 'AIDAEXAMPLE',
  accessKeyId: 'AKIAEXAMPLE',
  userName: 'alice',
  isAdministrator: false,
};
const ROLE: Principal = {
  type: 'AssumedRole',
  account,
  arn: 'arn:aws:sts::111122223333:assumed-role/deploy/alice-laptop',
  principalId: 'AROAEXAMPLE:alice-laptop',
  accessKeyId: 'ASIAEXAMPLE',
  isAdministrator: false,
  session: { ...SESSION, role: { name: 'deploy', id: 'AROAEXAMPLE', arn: 'arn:aws:iam::111122223333:role/ci/deploy' } },
};

describe('userIdentity', () => {
  test('of a user with a lasting key has no session', () => {
    expect(userIdentity(USER)).toEqual({
      type: 'IAMUser',
      principalId: 'AIDAEXAMPLE',
      arn: 'arn:aws:iam::111122223333:user/team/alice',
      accountId: account,
      accessKeyId: 'AKIAEXAMPLE',
      userName: 'alice',
    });
  });

  test('of a user with temporary keys says when, and whether with a second factor', () => {
    const withMfa = { ...USER, session: { ...SESSION, mfaAuthenticatedAtMs: SESSION.issuedAtMs } };
    expect(userIdentity(withMfa)).toMatchObject({
      userName: 'alice',
      sessionContext: { attributes: { creationDate: '2025-01-22T22:05:56Z', mfaAuthenticated: 'true' } },
    });
  });

  test('of a role names the session, and the role as its issuer', () => {
    expect(userIdentity(ROLE)).toEqual({
      type: 'AssumedRole',
      principalId: 'AROAEXAMPLE:alice-laptop',
      arn: 'arn:aws:sts::111122223333:assumed-role/deploy/alice-laptop',
      accountId: account,
      accessKeyId: 'ASIAEXAMPLE',
      sessionContext: {
        sessionIssuer: {
          type: 'Role',
          principalId: 'AROAEXAMPLE',
          arn: 'arn:aws:iam::111122223333:role/ci/deploy',
          accountId: account,
          userName: 'deploy',
        },
        webIdFederationData: {},
        attributes: { creationDate: '2025-01-22T22:05:56Z', mfaAuthenticated: 'false' },
      },
    });
  });

  test('of a role says who is behind it, and which provider the session came from', () => {
    const federatedProvider = 'arn:aws:iam::111122223333:oidc-provider/issuer.example.com';
    const session = { ...ROLE.session!, sourceIdentity: 'alice', federatedProvider };
    expect(userIdentity({ ...ROLE, session })).toMatchObject({
      sessionContext: { webIdFederationData: { federatedProvider, attributes: {} }, sourceIdentity: 'alice' },
    });
  });

  test('of a web identity is what the token says', () => {
    const identityProvider = 'arn:aws:iam::111122223333:oidc-provider/issuer.example.com';
    const web: Principal = { ...USER, type: 'WebIdentityUser', principalId: `${identityProvider}:app:alice`, identityProvider };
    expect(userIdentity(web)).toEqual({
      type: 'WebIdentityUser',
      principalId: `${identityProvider}:app:alice`,
      userName: 'alice',
      identityProvider,
    });
  });

  test('in the copy of another account is the account alone', () => {
    expect(foreignIdentity(ROLE)).toEqual({ type: 'AWSAccount', principalId: 'AROAEXAMPLE:alice-laptop', accountId: account });
  });
});
