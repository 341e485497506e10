/**
 * Makes what the configuration file names: accounts, the organization, identities. At each start, before anybody is served.
 *
 * Each change is a call with a record of its own (`file-calls.ts`); a start that changes nothing makes none. Nothing is taken away.
 */
import type { Accounts } from '../access/accounts.ts';
import type { AccountId } from '../event/types.ts';
import type { Directory } from '../organizations/directory.ts';
import type { Clock } from '../store/clock.ts';
import { type ApplyIdentitiesDeps, applyIdentities } from './apply-identities.ts';
import type { Declared, DeclaredIdentities } from './declared.ts';
import { FileConflict } from './file-calls.ts';

export interface ApplyDeclaredDeps extends ApplyIdentitiesDeps {
  readonly accounts: Accounts;
  readonly directory: Directory;
  readonly clock: Clock;
  /** The first account, which makes the others. */
  readonly administrator: AccountId;
}

/** @throws FileConflict when something cannot be as the file says. */
export async function applyDeclared(deps: ApplyDeclaredDeps, { accounts, organization, identities }: Declared): Promise<void> {
  for (const [index, account] of accounts.entries()) await applyAccount(deps, account, `accounts.${index}`);
  const byAccount = Object.entries(identities) as [AccountId, DeclaredIdentities][];
  // Before anything is made of them.
  for (const [account] of byAccount) requireAccount(deps, account, `identities.${account}`);
  if (organization !== undefined) await applyOrganization(deps, organization);
  for (const [account, declared] of byAccount) await applyIdentities(deps, account, declared);
}

async function applyAccount(
  { accounts, makeCall, administrator }: ApplyDeclaredDeps,
  { id, name }: Declared['accounts'][number],
  place: string,
): Promise<void> {
  const found = accounts.list().find(({ account }) => account === id);
  if (found === undefined) {
    const input = { Account: id, ...(name === undefined ? {} : { Name: name }) };
    await makeCall({ account: administrator, service: 'snowtrail', name: 'CreateAccount', input, place });
  } else if (name !== undefined && name !== found.name)
    throw new FileConflict(
      `${place}.name`,
      `account ${id} is called \`${found.name}\`, and no call renames an account: write that, or leave \`name\` out`,
    );
}

function requireAccount({ accounts }: ApplyDeclaredDeps, account: AccountId, place: string): void {
  if (!accounts.exists(account)) throw new FileConflict(place, `account ${account} does not exist: name it in \`accounts\``);
}

/** The account creates the organization; the others are invited by it, and accept. */
async function applyOrganization(
  deps: ApplyDeclaredDeps,
  { management = deps.administrator, accounts }: NonNullable<Declared['organization']>,
): Promise<void> {
  const { directory, makeCall, clock } = deps;
  const make = (account: AccountId, name: string, input: { readonly [member: string]: string | { readonly [member: string]: string } }) =>
    makeCall({ account, service: 'organizations', name, input, place: 'organization' });
  requireAccount(deps, management, 'organization.management');
  if (directory.membership(management) === undefined) await make(management, 'CreateOrganization', { FeatureSet: 'ALL' });
  const { organizationId, management: manager } = directory.membership(management)!;
  if (manager !== management)
    throw new FileConflict('organization.management', `account ${management} is a member of the organization that ${manager} manages`);

  for (const [index, account] of accounts.entries()) {
    const place = `organization.accounts.${index}`;
    requireAccount(deps, account, place);
    const membership = directory.membership(account);
    if (membership?.organizationId === organizationId) continue;
    if (membership !== undefined)
      throw new FileConflict(
        place,
        `account ${account} is in the organization ${membership.organizationId}: it has to leave that one first`,
      );
    const isOpen = ({ target, state, expiresAtMs, ...handshake }: ReturnType<Directory['handshakes']>[number]) =>
      handshake.organizationId === organizationId && target === account && state === 'OPEN' && expiresAtMs > clock.nowMs();
    // One may be left from a start that a crash ended.
    if (!directory.handshakes().some(isOpen))
      await make(management, 'InviteAccountToOrganization', { Target: { Type: 'ACCOUNT', Id: account } });
    await make(account, 'AcceptHandshake', { HandshakeId: directory.handshakes().find(isOpen)!.id });
  }
}
