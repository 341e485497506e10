/**
 * Finds who signs: lasting keys in the catalog, temporary ones in the token that comes with them.
 *
 * A temporary key is as good as what it was made of: when its role or its user is gone, it is gone from the next call on (A10).
 */
import type { Credentials, FindCredentials } from '../api/credentials.ts';
import type { Principal } from '../api/operation.ts';
import type { Keys } from '../store/keys.ts';
import type { Accounts } from './accounts.ts';
import type { Identities } from './identities.ts';
import { entityArn } from './identity-documents.ts';
import { openSession, type SessionClaims } from './session-token.ts';

export interface CredentialDeps {
  readonly accounts: Accounts;
  readonly identities: Identities;
  readonly keys: Pick<Keys, 'unwrap'>;
}

export function credentialFinder(deps: CredentialDeps): FindCredentials {
  return (accessKeyId, sessionToken) => {
    if (sessionToken === undefined || !/^ASIA[A-Z2-7]{16}$/.test(accessKeyId)) return deps.accounts.findCredentials(accessKeyId);
    return findTemporary(deps, accessKeyId, sessionToken);
  };
}

async function findTemporary(deps: CredentialDeps, accessKeyId: string, sessionToken: string): Promise<Credentials | undefined> {
  const claims = await openSession(deps.keys, accessKeyId, sessionToken);
  if (claims === undefined) return undefined;
  const principal = await principalOf(deps, accessKeyId, claims);
  const { secretAccessKey, expiresAtMs } = claims;
  return principal && { accessKeyId, secretAccessKey, sessionToken, expiresAtMs, status: 'Active', principal };
}

async function principalOf(
  { accounts, identities }: CredentialDeps,
  accessKeyId: string,
  claims: SessionClaims,
): Promise<Principal | undefined> {
  const { account, owner, secretAccessKey: _, expiresAtMs: __, ...session } = claims;
  switch (owner.kind) {
    case 'root':
      return { ...accounts.rootOf(account, accessKeyId), session };
    case 'user': {
      const user = (await identities.find('User', account, owner.name))?.value;
      return user?.id === owner.id ? { ...accounts.userOf(account, user, accessKeyId), session } : undefined;
    }
    case 'role': {
      const role = (await identities.find('Role', account, owner.name))?.value;
      if (role?.id !== owner.id) return undefined;
      return {
        type: 'AssumedRole',
        account,
        arn: `arn:aws:sts::${account}:assumed-role/${role.name}/${owner.sessionName}`,
        principalId: `${role.id}:${owner.sessionName}`,
        accessKeyId,
        isAdministrator: accounts.isAdministrator(account),
        session: { ...session, role: { name: role.name, id: role.id, arn: entityArn(role) } },
      };
    }
  }
}
