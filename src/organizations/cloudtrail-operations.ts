/**
 * CloudTrail's own `RegisterOrganizationDelegatedAdmin` and `DeregisterOrganizationDelegatedAdmin`.
 *
 * They change what Organizations lists. Trusted access must be there already: an operation of one service switches on nothing in another.
 * Source: CloudTrail API Reference; cloudtrail.md §13, §14.
 */
import { ApiError } from '../api/api-error.ts';
import type { Call, Operation } from '../api/operation.ts';
import type { AccountId } from '../event/types.ts';
import { CLOUDTRAIL_PRINCIPAL, isDelegatedTo, type Membership, type Organization, requireCloudTrailAccess } from '../store/organization.ts';
import { changing, type OrganizationsDeps } from './operation-kinds.ts';
import type { Input } from './read-input.ts';
import { DELEGATES_MAX, delegate, undelegate } from './service-operations.ts';

export function cloudtrailOperations(deps: OrganizationsDeps): readonly Operation[] {
  return [
    changing(deps, 'RegisterOrganizationDelegatedAdmin', (call, input) => {
      const nowMs = deps.clock.nowMs();
      return () => {
        const organization = requireManagement(deps, call);
        const account = readAccount(input, 'MemberAccountId');
        if (account === organization.management)
          throw new ApiError('CannotDelegateManagementAccountException', 'The management account cannot be a delegated administrator.');
        const member = requireAccount(deps, organization, account);
        if (isDelegatedTo(member, CLOUDTRAIL_PRINCIPAL))
          throw new ApiError('AccountRegisteredException', `Account ${account} is a delegated administrator already.`);
        if (deps.directory.members(organization).filter((each) => isDelegatedTo(each, CLOUDTRAIL_PRINCIPAL)).length >= DELEGATES_MAX)
          throw new ApiError(
            'DelegatedAdminAccountLimitExceededException',
            `The organization has ${DELEGATES_MAX} delegated administrators for CloudTrail already.`,
          );
        return delegate(organization, member, { servicePrincipal: CLOUDTRAIL_PRINCIPAL, enabledAtMs: nowMs });
      };
    }),
    changing(deps, 'DeregisterOrganizationDelegatedAdmin', (call, input) => () => {
      const organization = requireManagement(deps, call);
      const account = readAccount(input, 'DelegatedAdminAccountId');
      const member = requireAccount(deps, organization, account);
      if (!isDelegatedTo(member, CLOUDTRAIL_PRINCIPAL))
        throw new ApiError('AccountNotRegisteredException', `Account ${account} is not a delegated administrator for CloudTrail.`);
      return undelegate(organization, member, CLOUDTRAIL_PRINCIPAL);
    }),
  ] as readonly Operation[];
}

function requireManagement({ directory }: OrganizationsDeps, call: Call): Organization {
  const membership = directory.membership(call.account);
  const organization = membership && directory.organization(membership.organizationId);
  if (organization === undefined) throw new ApiError('OrganizationsNotInUseException', `Account ${call.account} is in no organization.`);
  if (organization.management !== call.account)
    throw new ApiError('NotOrganizationManagementAccountException', 'Only the management account of the organization may do this.');
  requireCloudTrailAccess(organization);
  return organization;
}

/** Not twelve digits: no account, as one that does not exist. */
function readAccount(input: Input, member: string): AccountId {
  return String(input[member] ?? '') as AccountId;
}

function requireAccount({ directory }: OrganizationsDeps, organization: Organization, account: AccountId): Membership {
  const member = directory.membership(account);
  if (member?.organizationId === organization.id) return member;
  throw new ApiError('AccountNotFoundException', `Account ${account.slice(0, 20)} is not in the organization.`);
}
