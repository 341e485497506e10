/**
 * Decides whether a call may be carried out.
 *
 * The root of an account may do everything there, and nothing elsewhere; nobody else may do anything yet.
 * Source: IAM User Guide, "AWS account root user".
 */
import type { AccessRequest } from '../api/access.ts';
import { ApiError } from '../api/api-error.ts';
import type { Authorize, Call } from '../api/operation.ts';
import type { FindPrincipalPolicies } from './principal-policies.ts';

export interface AuthorizeDeps {
  readonly findPolicies: FindPrincipalPolicies;
}

/** @throws ApiError AccessDeniedException */
export function createAuthorize({ findPolicies }: AuthorizeDeps): Authorize {
  return async (call, requests) => {
    const policies = await findPolicies(call.principal);
    const isRoot = call.principal.type === 'Root' && policies.serviceControl.length === 0;
    const refused = requests.find(({ owner }) => !isRoot || (owner !== undefined && owner !== call.account));
    if (refused !== undefined) throw notAuthorized(call, refused);
  };
}

function notAuthorized({ principal }: Call, { action, resource, owner }: AccessRequest): ApiError {
  const kind = owner === undefined || owner === principal.account ? 'identity-based' : 'resource-based';
  const message = `User: ${principal.arn} is not authorized to perform: ${action} on resource: ${resource} because no ${kind} policy allows the ${action} action`;
  return new ApiError('AccessDeniedException', message, { status: 403 });
}
