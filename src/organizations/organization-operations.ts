/**
 * `CreateOrganization`, `DescribeOrganization`, `DeleteOrganization`, `ListRoots`.
 *
 * The account that creates the organization manages it for ever.
 */
import type { Operation } from '../api/operation.ts';
import { membershipKey, type Organization, organizationKey } from '../store/organization.ts';
import { arnOf, FULL_ACCESS, tagsKey } from './documents.ts';
import { listing } from './listing.ts';
import { changing, managedBy, type OrganizationsDeps, placeOf, randomText, readableBy, reading } from './operation-kinds.ts';
import { word } from './read-input.ts';
import { refusal } from './refusals.ts';

export function organizationOperations(deps: OrganizationsDeps): readonly Operation[] {
  return [
    createOrganization(deps),
    reading('DescribeOrganization', (call) => ({ Organization: organizationOutput(placeOf(deps, call).organization) })),
    deleteOrganization(deps),
    listing<Organization>(deps, 'ListRoots', (call) => ({
      all: [readableBy(deps, call)],
      idOf: ({ rootId }) => rootId,
      answer: (items) => ({ Roots: items.map(rootOutput) }),
    })),
  ] as readonly Operation[];
}

function createOrganization(deps: OrganizationsDeps): Operation<never, object> {
  return changing(deps, 'CreateOrganization', (call, input) => {
    const featureSet = input['FeatureSet'] === undefined ? 'ALL' : word(input, 'FeatureSet', ['ALL', 'CONSOLIDATED_BILLING'] as const);
    const nowMs = deps.clock.nowMs();
    const organization: Organization = {
      id: deps.chosenId(call.account) ?? `o-${randomText(deps, 10)}`,
      management: call.account,
      rootId: `r-${randomText(deps, 4)}`,
      rootPolicies: [FULL_ACCESS.id],
      featureSet,
      arePoliciesEnabled: false,
      trustedServices: [],
      createdAtMs: nowMs,
    };
    return () => {
      if (deps.directory.membership(call.account) !== undefined)
        throw refusal('AlreadyInOrganizationException', 'The provided account is already a member of an organization.');
      if (deps.directory.organization(organization.id) !== undefined)
        throw refusal('ConcurrentModificationException', `The organization id ${organization.id} is in use; try again.`);
      const member = {
        ...{ account: call.account, organizationId: organization.id, management: call.account },
        ...{ name: deps.accounts.nameOf(call.account), joinedMethod: 'INVITED', joinedAtMs: nowMs },
        ...{ parent: organization.rootId, policies: [FULL_ACCESS.id], delegations: [] },
      };
      return {
        organization,
        changes: [
          { key: organizationKey(organization.id), value: organization },
          { key: membershipKey(call.account), value: member },
        ],
        output: { Organization: organizationOutput(organization) },
      };
    };
  }) as Operation<never, object>;
}

function deleteOrganization(deps: OrganizationsDeps): Operation<never, object> {
  const operation = changing(deps, 'DeleteOrganization', (call) => () => {
    const organization = managedBy(deps, call);
    const { directory } = deps;
    const units = directory.units(organization);
    const policies = directory.policies(organization);
    if (directory.members(organization).length > 1 || units.length > 0 || policies.length > 0)
      throw refusal(
        'OrganizationNotEmptyException',
        'To delete the organization you must first remove all member accounts, organizational units and policies.',
      );
    const handshakes = directory.handshakes().filter(({ organizationId }) => organizationId === organization.id);
    const gone = [
      organizationKey(organization.id),
      membershipKey(call.account),
      ...handshakes.map(({ id }) => ['organization-handshake', organization.id, id] as const),
      ...directory.requests(organization).map(({ id }) => ['organization-request', organization.id, id] as const),
      ...directory.tagged(organization).map(tagsKey),
    ];
    return { organization, changes: gone.map((key) => ({ key, value: undefined })), output: {} };
  });
  return {
    ...operation,
    decide: async (call, input) => {
      // A trail of an organization that is none would take the events of nobody.
      if (await deps.hasTrails(managedBy(deps, call)))
        throw refusal(
          'OrganizationNotEmptyException',
          'The organization has CloudTrail trails: delete them, or make them trails of the account (--no-is-organization-trail), first.',
        );
      return operation.decide(call, input);
    },
  };
}

function organizationOutput(organization: Organization): object {
  const { id, management, featureSet } = organization;
  return {
    Id: id,
    Arn: arnOf(organization, 'organization'),
    FeatureSet: featureSet,
    MasterAccountArn: arnOf(organization, 'account', management),
    MasterAccountId: management,
    AvailablePolicyTypes: featureSet === 'ALL' ? [{ Type: 'SERVICE_CONTROL_POLICY', Status: 'ENABLED' }] : [],
  };
}

/** The root as clients see it. */
export function rootOutput(organization: Organization): object {
  return {
    Id: organization.rootId,
    Arn: arnOf(organization, 'root', organization.rootId),
    Name: 'Root',
    PolicyTypes: organization.arePoliciesEnabled ? [{ Type: 'SERVICE_CONTROL_POLICY', Status: 'ENABLED' }] : [],
  };
}
