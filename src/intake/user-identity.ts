/**
 * `userIdentity` of a call to this server's own APIs, as the service writes it for each kind of caller.
 *
 * Source: cloudtrail.md §1.3.
 */
import type { Principal, PrincipalSession } from '../api/operation.ts';
import { formatEventTime } from '../event/times.ts';
import type { JsonObject } from '../event/types.ts';

export function userIdentity(principal: Principal): JsonObject {
  const { type, principalId, userName, session, identityProvider } = principal;
  // Who comes with the token of a provider has no account here yet.
  if (type === 'WebIdentityUser')
    return {
      type,
      principalId,
      ...(userName === undefined ? {} : { userName }),
      ...(identityProvider === undefined ? {} : { identityProvider }),
    };
  return {
    type,
    principalId,
    arn: principal.arn,
    accountId: principal.account,
    accessKeyId: principal.accessKeyId,
    ...(userName === undefined ? {} : { userName }),
    ...(session === undefined ? {} : { sessionContext: sessionContext(session, principal) }),
  };
}

/** The caller as the owner of what it used sees it: by its account, without any more of it. */
export function foreignIdentity({ principalId, account }: Principal): JsonObject {
  return { type: 'AWSAccount', principalId, accountId: account };
}

function sessionContext(session: PrincipalSession, { account }: Principal): JsonObject {
  const { role, federatedProvider, sourceIdentity } = session;
  const issuer = role && { type: 'Role', principalId: role.id, arn: role.arn, accountId: account, userName: role.name };
  return {
    ...(issuer === undefined ? {} : { sessionIssuer: issuer, webIdFederationData: webIdentity(federatedProvider) }),
    attributes: {
      creationDate: formatEventTime(session.issuedAtMs),
      mfaAuthenticated: session.mfaAuthenticatedAtMs === undefined ? 'false' : 'true',
    },
    ...(sourceIdentity === undefined ? {} : { sourceIdentity }),
  };
}

/** Empty in the records of sessions that did not begin with a token. */
function webIdentity(federatedProvider: string | undefined): JsonObject {
  return federatedProvider === undefined ? {} : { federatedProvider, attributes: {} };
}
