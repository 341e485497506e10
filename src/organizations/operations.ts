/**
 * All operations on organizations, by service. What is missing of the Organizations API is refused as not built, by its name.
 */
import type { Operation } from '../api/operation.ts';
import { accountOperations } from './account-operations.ts';
import { cloudtrailOperations } from './cloudtrail-operations.ts';
import { handshakeOperations } from './handshake-operations.ts';
import type { OrganizationsDeps } from './operation-kinds.ts';
import { organizationOperations } from './organization-operations.ts';
import { policyOperations } from './policy-operations.ts';
import { serviceOperations } from './service-operations.ts';
import { tagOperations } from './tags.ts';
import { unitOperations } from './unit-operations.ts';

/** Operations of the service's model that are not built. */
export const UNBUILT: ReadonlySet<string> = new Set([
  'CloseAccount',
  'CreateGovCloudAccount',
  'DeleteResourcePolicy',
  'DescribeEffectivePolicy',
  'DescribeResourcePolicy',
  'DescribeResponsibilityTransfer',
  'EnableAllFeatures',
  'InviteOrganizationToTransferResponsibility',
  'ListAccountsWithInvalidEffectivePolicy',
  'ListEffectivePolicyValidationErrors',
  'ListInboundResponsibilityTransfers',
  'ListOutboundResponsibilityTransfers',
  'PutResourcePolicy',
  'TerminateResponsibilityTransfer',
  'UpdateResponsibilityTransfer',
]);

export function organizationsOperations(deps: OrganizationsDeps): {
  readonly organizations: readonly Operation[];
  readonly cloudtrail: readonly Operation[];
} {
  return {
    organizations: [
      ...organizationOperations(deps),
      ...accountOperations(deps),
      ...handshakeOperations(deps),
      ...unitOperations(deps),
      ...serviceOperations(deps),
      ...policyOperations(deps),
      ...tagOperations(deps),
    ],
    cloudtrail: cloudtrailOperations(deps),
  };
}
