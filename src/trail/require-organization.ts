/**
 * Who may make a trail one of the organization.
 * Source: cloudtrail.md §7.7, §13, §14.
 */
import { ApiError } from '../api/api-error.ts';
import type { Call } from '../api/operation.ts';
import type { Catalog } from '../store/catalog.ts';
import { CLOUDTRAIL_PRINCIPAL, isDelegatedTo, type Organization, organizationOf, requireCloudTrailAccess } from '../store/organization.ts';

/**
 * The organization whose trail the caller may create.
 * @throws ApiError OrganizationsNotInUseException, NotOrganizationMasterAccountException, OrganizationNotInAllFeaturesModeException,
 * CloudTrailAccessNotEnabledException
 */
export async function requireOrganization(catalog: Pick<Catalog, 'get'>, call: Call): Promise<Organization> {
  const found = await organizationOf(catalog, call.account);
  if (found === undefined) throw new ApiError('OrganizationsNotInUseException', `Account ${call.account} is in no organization.`);
  const { organization, membership } = found;
  if (organization.management !== call.account && !isDelegatedTo(membership, CLOUDTRAIL_PRINCIPAL))
    throw new ApiError(
      'NotOrganizationMasterAccountException',
      'Only the management account of the organization and its delegated administrators for CloudTrail can do this.',
    );
  requireCloudTrailAccess(organization);
  return organization;
}
