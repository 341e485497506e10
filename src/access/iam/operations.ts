/**
 * The operations of IAM that this server has. Source: IAM API Reference, 2010-05-08.
 */
import type { Operation } from '../../api/operation.ts';
import { createAccessKey, deleteAccessKey, getAccessKeyLastUsed, listAccessKeys, updateAccessKey } from './access-keys.ts';
import { getAccountSummary } from './account-summary.ts';
import { attachPolicy, deleteBoundary, detachPolicy, listAttachedPolicies, putBoundary } from './attached-policies.ts';
import {
  addUserToGroup,
  createGroup,
  deleteGroup,
  getGroup,
  listGroups,
  listGroupsForUser,
  removeUserFromGroup,
  updateGroup,
} from './groups.ts';
import type { IamDeps } from './iam-deps.ts';
import { deleteInlinePolicy, getInlinePolicy, listInlinePolicies, putInlinePolicy } from './inline-policies.ts';
import {
  createPolicy,
  createPolicyVersion,
  deletePolicy,
  deletePolicyVersion,
  getPolicy,
  getPolicyVersion,
  listEntitiesForPolicy,
  listPolicies,
  listPolicyVersions,
  setDefaultPolicyVersion,
} from './managed-policies.ts';
import {
  createVirtualMfaDevice,
  deactivateMfaDevice,
  deleteVirtualMfaDevice,
  enableMfaDevice,
  listMfaDevices,
  listVirtualMfaDevices,
} from './mfa-devices.ts';
import { createOidcProvider, deleteOidcProvider, getOidcProvider, listOidcProviders } from './oidc-providers.ts';
import { createRole, deleteRole, getRole, listInstanceProfilesForRole, listRoles, updateAssumeRolePolicy, updateRole } from './roles.ts';
import { listEntityTags, tagEntity, untagEntity } from './tags.ts';
import { createUser, deleteUser, getUser, listUsers, updateUser } from './users.ts';

export function iamOperations(deps: IamDeps): readonly Operation[] {
  const ofEach = (['User', 'Group', 'Role'] as const).flatMap((kind) => [
    putInlinePolicy(deps, kind),
    getInlinePolicy(deps, kind),
    listInlinePolicies(deps, kind),
    deleteInlinePolicy(deps, kind),
    attachPolicy(deps, kind),
    detachPolicy(deps, kind),
    listAttachedPolicies(deps, kind),
  ]);
  const ofUsersAndRoles = (['User', 'Role'] as const).flatMap((kind) => [
    putBoundary(deps, kind),
    deleteBoundary(deps, kind),
    tagEntity(deps, kind),
    untagEntity(deps, kind),
    listEntityTags(deps, kind),
  ]);
  const others = [
    createUser,
    getUser,
    listUsers,
    updateUser,
    deleteUser,
    createGroup,
    getGroup,
    listGroups,
    updateGroup,
    deleteGroup,
    addUserToGroup,
    removeUserFromGroup,
    listGroupsForUser,
    createRole,
    getRole,
    listRoles,
    listInstanceProfilesForRole,
    updateRole,
    updateAssumeRolePolicy,
    deleteRole,
    createPolicy,
    getPolicy,
    listPolicies,
    deletePolicy,
    listEntitiesForPolicy,
    createPolicyVersion,
    getPolicyVersion,
    listPolicyVersions,
    deletePolicyVersion,
    setDefaultPolicyVersion,
    createAccessKey,
    listAccessKeys,
    updateAccessKey,
    deleteAccessKey,
    getAccessKeyLastUsed,
    createVirtualMfaDevice,
    enableMfaDevice,
    deactivateMfaDevice,
    deleteVirtualMfaDevice,
    listMfaDevices,
    listVirtualMfaDevices,
    createOidcProvider,
    getOidcProvider,
    listOidcProviders,
    deleteOidcProvider,
    getAccountSummary,
  ].map((make) => make(deps));
  return [...ofEach, ...ofUsersAndRoles, ...others] as readonly Operation[];
}
