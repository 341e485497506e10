/**
 * Services that an organization trusts, and accounts to which the work on one is delegated.
 *
 * Delegated administrators of CloudTrail are the same whether they are registered here or with CloudTrail itself.
 */
import type { Operation } from '../api/operation.ts';
import {
  CLOUDTRAIL_PRINCIPAL,
  isDelegatedTo,
  type Membership,
  membershipKey,
  type Organization,
  organizationKey,
} from '../store/organization.ts';
import { accountOutput, requireMember } from './account-operations.ts';
import type { Plan } from './directory.ts';
import { listing } from './listing.ts';
import { changing, managedBy, type OrganizationsDeps, placeOf, readableBy, seconds } from './operation-kinds.ts';
import { accountId, optionalText, text } from './read-input.ts';
import { constraint, refusal } from './refusals.ts';

/** Most delegated administrators for one service; CloudTrail's own number (cloudtrail.md §14). */
export const DELEGATES_MAX = 3;
const TRUSTED_MAX = 100;

export function serviceOperations(deps: OrganizationsDeps): readonly Operation[] {
  const { directory } = deps;
  return [
    changing(deps, 'EnableAWSServiceAccess', (call, input) => {
      const servicePrincipal = text(input, 'ServicePrincipal');
      const nowMs = deps.clock.nowMs();
      return () => {
        const organization = allFeatures(managedBy(deps, call));
        const { trustedServices } = organization;
        if (trustedServices.some((grant) => grant.servicePrincipal === servicePrincipal)) return { organization, changes: [], output: {} };
        if (trustedServices.length >= TRUSTED_MAX)
          // A bound of our own: the service's list has no reason for it.
          throw refusal('ConstraintViolationException', `The organization trusts ${TRUSTED_MAX} services already.`);
        return withServices(organization, [...trustedServices, { servicePrincipal, enabledAtMs: nowMs }]);
      };
    }),
    disableServiceAccess(deps),
    listing<Organization['trustedServices'][number]>(deps, 'ListAWSServiceAccessForOrganization', (call) => ({
      all: readableBy(deps, call).trustedServices,
      idOf: ({ servicePrincipal }) => servicePrincipal,
      answer: (items) => ({
        EnabledServicePrincipals: items.map(({ servicePrincipal, enabledAtMs }) => ({
          ServicePrincipal: servicePrincipal,
          DateEnabled: seconds(enabledAtMs),
        })),
      }),
    })),
    changing(deps, 'RegisterDelegatedAdministrator', (call, input) => {
      const [account, servicePrincipal] = [accountId(input), text(input, 'ServicePrincipal')];
      const nowMs = deps.clock.nowMs();
      return () => {
        const organization = allFeatures(managedBy(deps, call));
        if (account === organization.management)
          throw constraint(
            'CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR',
            'The management account cannot be a delegated administrator.',
          );
        const member = requireMember(deps, organization, account);
        if (!organization.trustedServices.some((grant) => grant.servicePrincipal === servicePrincipal))
          throw constraint('SERVICE_ACCESS_NOT_ENABLED', `Enable access of ${servicePrincipal} first (enable-aws-service-access).`);
        if (isDelegatedTo(member, servicePrincipal))
          throw refusal(
            'AccountAlreadyRegisteredException',
            'The provided account is already a delegated administrator for your organization.',
          );
        if (directory.members(organization).filter((each) => isDelegatedTo(each, servicePrincipal)).length >= DELEGATES_MAX)
          throw constraint(
            'MAX_DELEGATED_ADMINISTRATORS_FOR_SERVICE_LIMIT_EXCEEDED',
            `There are ${DELEGATES_MAX} delegated administrators for ${servicePrincipal} already.`,
          );
        return delegate(organization, member, { servicePrincipal, enabledAtMs: nowMs });
      };
    }),
    changing(deps, 'DeregisterDelegatedAdministrator', (call, input) => {
      const [account, servicePrincipal] = [accountId(input), text(input, 'ServicePrincipal')];
      return () => {
        const organization = allFeatures(managedBy(deps, call));
        const member = requireMember(deps, organization, account);
        if (!isDelegatedTo(member, servicePrincipal))
          throw refusal(
            'AccountNotRegisteredException',
            'The provided account is not a registered delegated administrator for your organization.',
          );
        return undelegate(organization, member, servicePrincipal);
      };
    }),
    listing<Membership>(deps, 'ListDelegatedAdministrators', (call, input) => {
      const servicePrincipal = optionalText(input, 'ServicePrincipal');
      const organization = readableBy(deps, call);
      const delegates = directory
        .members(organization)
        .filter((member) => (servicePrincipal === undefined ? member.delegations.length > 0 : isDelegatedTo(member, servicePrincipal)));
      const enabledAtMs = (member: Membership) =>
        Math.min(
          ...member.delegations
            .filter((grant) => grant.servicePrincipal === (servicePrincipal ?? grant.servicePrincipal))
            .map((grant) => grant.enabledAtMs),
        );
      const shown = (member: Membership) => ({
        ...accountOutput(organization, member),
        DelegationEnabledDate: seconds(enabledAtMs(member)),
      });
      return { all: delegates, idOf: ({ account }) => account, answer: (items) => ({ DelegatedAdministrators: items.map(shown) }) };
    }),
    listing<Membership['delegations'][number]>(deps, 'ListDelegatedServicesForAccount', (call, input) => {
      const organization = readableBy(deps, call);
      const { delegations } = requireMember(deps, organization, accountId(input));
      if (delegations.length === 0)
        throw refusal(
          'AccountNotRegisteredException',
          'The provided account is not a registered delegated administrator for your organization.',
        );
      return {
        all: delegations,
        idOf: ({ servicePrincipal }) => servicePrincipal,
        answer: (items) => ({
          DelegatedServices: items.map(({ servicePrincipal, enabledAtMs }) => ({
            ServicePrincipal: servicePrincipal,
            DelegationEnabledDate: seconds(enabledAtMs),
          })),
        }),
      };
    }),
  ] as readonly Operation[];
}

function disableServiceAccess(deps: OrganizationsDeps): Operation<never, object> {
  const operation = changing(deps, 'DisableAWSServiceAccess', (call, input) => {
    const servicePrincipal = text(input, 'ServicePrincipal');
    return () => {
      const organization = managedBy(deps, call);
      const delegate = deps.directory.members(organization).find((member) => isDelegatedTo(member, servicePrincipal));
      if (delegate !== undefined)
        throw constraint(
          'DELEGATED_ADMINISTRATOR_EXISTS_FOR_THIS_SERVICE',
          `Account ${delegate.account} is a delegated administrator for ${servicePrincipal}: deregister it first.`,
        );
      const kept = organization.trustedServices.filter((grant) => grant.servicePrincipal !== servicePrincipal);
      if (kept.length === organization.trustedServices.length) return { organization, changes: [], output: {} };
      return withServices(organization, kept);
    };
  });
  return {
    ...operation,
    decide: async (call, input) => {
      const { organization } = placeOf(deps, call);
      // The service would take its trails out of all members; here whoever wants that says so to the trails themselves.
      if (
        input['ServicePrincipal'] === CLOUDTRAIL_PRINCIPAL &&
        organization.management === call.account &&
        (await deps.hasTrails(organization))
      )
        throw constraint(
          'POLICY_TYPE_ENABLED_FOR_THIS_SERVICE',
          'The organization has CloudTrail trails: delete them, or make them trails of the account (--no-is-organization-trail), first.',
        );
      return operation.decide(call, input);
    },
  };
}

/** @throws ApiError UnsupportedAPIEndpointException where the organization only shares its bills. */
function allFeatures(organization: Organization): Organization {
  if (organization.featureSet === 'ALL') return organization;
  throw constraint(
    'ORGANIZATION_NOT_IN_ALL_FEATURES_MODE',
    'The organization has consolidated billing features alone; this needs all features.',
  );
}

function withServices(organization: Organization, trustedServices: Organization['trustedServices']): Plan<object> {
  return { organization, changes: [{ key: organizationKey(organization.id), value: { ...organization, trustedServices } }], output: {} };
}

export function delegate(organization: Organization, member: Membership, grant: Membership['delegations'][number]): Plan<object> {
  const delegations = [...member.delegations, grant];
  return { organization, changes: [{ key: membershipKey(member.account), value: { ...member, delegations } }], output: {} };
}

export function undelegate(organization: Organization, member: Membership, servicePrincipal: string): Plan<object> {
  const delegations = member.delegations.filter((grant) => grant.servicePrincipal !== servicePrincipal);
  return { organization, changes: [{ key: membershipKey(member.account), value: { ...member, delegations } }], output: {} };
}
