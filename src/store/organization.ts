/**
 * Organizations and who belongs to them, as documents of the catalog.
 *
 * `organizations/` alone writes them; trails read them to know whose events an organization's trail takes and who may see it. An account
 * belongs to one organization at most, so its membership lies under its own number.
 * Source: AWS Organizations API Reference; cloudtrail.md §7.7, §14.
 */
import { ApiError } from '../api/api-error.ts';
import type { AccountId, EpochMs } from '../event/types.ts';
import type { Catalog, CatalogKey } from './catalog.ts';

/** The service for which an organization trusts us, and names delegated administrators. */
export const CLOUDTRAIL_PRINCIPAL = 'cloudtrail.amazonaws.com';

/** A service that an organization trusts, or for which an account is a delegated administrator. */
export interface ServiceGrant {
  /** Such as `cloudtrail.amazonaws.com`. */
  readonly servicePrincipal: string;
  readonly enabledAtMs: EpochMs;
}

export interface Organization {
  /** `o-` and 10 to 32 lower-case letters and digits. */
  readonly id: string;
  readonly management: AccountId;
  /** `r-` and 4 letters and digits. */
  readonly rootId: string;
  /** Ids of the policies on the root; every account is below it. */
  readonly rootPolicies: readonly string[];
  readonly featureSet: 'ALL' | 'CONSOLIDATED_BILLING';
  readonly arePoliciesEnabled: boolean;
  readonly trustedServices: readonly ServiceGrant[];
  readonly createdAtMs: EpochMs;
}

export interface Membership {
  readonly account: AccountId;
  readonly organizationId: string;
  readonly management: AccountId;
  readonly name: string;
  /** Only of accounts that the organization made. */
  readonly email?: string;
  readonly joinedMethod: 'INVITED' | 'CREATED';
  readonly joinedAtMs: EpochMs;
  /** Id of the root or of the unit that holds the account. */
  readonly parent: string;
  /** Ids of the policies on the account itself. */
  readonly policies: readonly string[];
  /** Services for which the account is a delegated administrator. */
  readonly delegations: readonly ServiceGrant[];
}

export const organizationKey = (id: string): CatalogKey => ['organization', id];
export const membershipKey = (account: AccountId): CatalogKey => ['membership', account];

/** The organization of an account, and the account's place in it; `undefined` when it is in none. */
export async function organizationOf(
  catalog: Pick<Catalog, 'get'>,
  account: AccountId,
): Promise<{ readonly organization: Organization; readonly membership: Membership } | undefined> {
  const membership = (await catalog.get<Membership>(membershipKey(account)))?.value;
  if (membership === undefined) return undefined;
  const organization = await catalog.get<Organization>(organizationKey(membership.organizationId));
  return organization && { organization: organization.value, membership };
}

/** The accounts of an organization, its management account among them, by number. */
export async function membersOf(catalog: Pick<Catalog, 'list'>, organizationId: string): Promise<readonly AccountId[]> {
  const memberships = await catalog.list<Membership>(['membership']);
  return memberships.filter(({ value }) => value.organizationId === organizationId).map(({ value }) => value.account);
}

export function isDelegatedTo({ delegations }: Pick<Membership, 'delegations'>, servicePrincipal: string): boolean {
  return delegations.some((grant) => grant.servicePrincipal === servicePrincipal);
}

/**
 * An organization whose trails we may make: it has all features, and trusts CloudTrail.
 * @throws ApiError OrganizationNotInAllFeaturesModeException, CloudTrailAccessNotEnabledException
 */
export function requireCloudTrailAccess({ featureSet, trustedServices }: Organization): void {
  if (featureSet !== 'ALL')
    throw new ApiError('OrganizationNotInAllFeaturesModeException', 'The organization does not have all features enabled.');
  if (!trustedServices.some(({ servicePrincipal }) => servicePrincipal === CLOUDTRAIL_PRINCIPAL))
    throw new ApiError(
      'CloudTrailAccessNotEnabledException',
      `Trusted access for CloudTrail is not enabled: aws organizations enable-aws-service-access --service-principal ${CLOUDTRAIL_PRINCIPAL}.`,
    );
}
