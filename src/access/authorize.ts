/**
 * Decides whether a call may be carried out.
 *
 * Every key belongs to the root of its account today: it may do everything there, and nothing elsewhere.
 * Source: IAM User Guide, "AWS account root user".
 */

import { ApiError } from '../api/api-error.ts';
import type { Authorize } from '../api/operation.ts';

/** @throws ApiError AccessDeniedException */
export const authorizeRoot: Authorize = async (call, requests) => {
  const { principal, account } = call;
  const foreign = requests.find(({ owner }) => owner !== undefined && owner !== account);
  if (foreign === undefined) return;
  const { action, resource } = foreign;
  const message = `User: ${principal.arn} is not authorized to perform: ${action} on resource: ${resource} because no resource-based policy allows the ${action} action`;
  throw new ApiError('AccessDeniedException', message, { status: 403 });
};
