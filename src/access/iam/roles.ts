/**
 * `CreateRole`, `GetRole`, `ListRoles`, `UpdateRole`, `UpdateAssumeRolePolicy`, `DeleteRole`.
 *
 * Source: IAM API Reference.
 */
import { requestTagContext } from '../../api/tags.ts';
import { added, changed, removed, replaced } from '../identity-changes.ts';
import { entityArn, entityKey, type RoleDocument, type Tag } from '../identity-documents.ts';
import { checkPolicy, policyGuard, policySize } from './check-policy.ts';
import {
  alreadyExists,
  boundaryContext,
  checkTags,
  deleteConflict,
  entityAccess,
  type IamDeps,
  type IamOperation,
  limitExceeded,
  newId,
} from './iam-deps.ts';
import { type ListInput, listEntities } from './list-entities.ts';
import { roleOutput } from './outputs.ts';
import { listPage, type PageInput } from './page.ts';

const ROLES_MAX = 1_000;
const TRUST_POLICY_SIZE_MAX = 2_048;
const SESSION_SECONDS_DEFAULT = 3_600;

interface CreateRoleInput {
  readonly RoleName: string;
  readonly AssumeRolePolicyDocument: string;
  readonly Path?: string;
  readonly Description?: string;
  readonly MaxSessionDuration?: number;
  readonly PermissionsBoundary?: string;
  readonly Tags?: readonly Tag[];
}

export function createRole(deps: IamDeps): IamOperation<CreateRoleInput> {
  const { identities, clock, chance } = deps;
  return {
    name: 'CreateRole',
    isReadOnly: false,
    access: (call, { RoleName: name, Path: path = '/', PermissionsBoundary, Tags }) => [
      {
        action: 'iam:CreateRole',
        resource: entityArn({ kind: 'Role', account: call.account, path, name }),
        context: new Map([...requestTagContext(Tags), ...boundaryContext(PermissionsBoundary)]),
      },
    ],
    decide: async ({ account }, input) => {
      const { RoleName: name, Path: path = '/', PermissionsBoundary: boundary, Tags: tags = [], Description: description } = input;
      const trustPolicy = checkTrust(input.AssumeRolePolicyDocument);
      checkTags(tags);
      const key = entityKey('Role', account, name);
      if (await identities.isTaken(key)) throw alreadyExists(`Role with name ${name} already exists.`);
      const guards = boundary === undefined ? [] : await policyGuard(identities, account, boundary);
      if ((await identities.list('Role', account)).length >= ROLES_MAX) throw limitExceeded('RolesPerAccount', ROLES_MAX);
      const role: RoleDocument = {
        kind: 'Role',
        account,
        name,
        id: newId(chance, 'AROA'),
        path,
        createdAtMs: clock.nowMs(),
        attached: [],
        inline: {},
        tags,
        ...(boundary === undefined ? {} : { boundary }),
        ...(description === undefined || description === '' ? {} : { description }),
        maxSessionSeconds: input.MaxSessionDuration ?? SESSION_SECONDS_DEFAULT,
        trustPolicy,
      };
      return { output: { Role: roleOutput(role, true) }, ...identities.save([added(key, role), ...guards]) };
    },
  };
}

/** @throws ApiError MalformedPolicyDocument, LimitExceeded */
function checkTrust(text: string): string {
  checkPolicy(text, 'trust');
  if (policySize(text) > TRUST_POLICY_SIZE_MAX) throw limitExceeded('ACLSizePerRole', TRUST_POLICY_SIZE_MAX);
  return text;
}

export function getRole(deps: IamDeps): IamOperation<{ readonly RoleName: string }> {
  return {
    name: 'GetRole',
    isReadOnly: true,
    access: (call, { RoleName }) => entityAccess(deps, call, { action: 'GetRole', kind: 'Role', name: RoleName }),
    decide: async ({ account }, { RoleName }) => ({
      output: { Role: roleOutput((await deps.identities.need('Role', account, RoleName)).value, true) },
    }),
  };
}

export function listRoles(deps: IamDeps): IamOperation<ListInput> {
  return listEntities(deps, 'Role', (roles) => ({ Roles: roles.map((role) => roleOutput(role)) }));
}

interface UpdateRoleInput {
  readonly RoleName: string;
  readonly Description?: string;
  readonly MaxSessionDuration?: number;
}

export function updateRole(deps: IamDeps): IamOperation<UpdateRoleInput> {
  const { identities } = deps;
  return {
    name: 'UpdateRole',
    isReadOnly: false,
    access: (call, { RoleName }) => entityAccess(deps, call, { action: 'UpdateRole', kind: 'Role', name: RoleName }),
    decide: async ({ account }, { RoleName, Description, MaxSessionDuration }) => {
      const found = await identities.need('Role', account, RoleName);
      const { description: _, ...rest } = found.value;
      // What is not given goes back to nothing, as the service has it.
      const value: RoleDocument = {
        ...rest,
        ...(Description === undefined || Description === '' ? {} : { description: Description }),
        maxSessionSeconds: MaxSessionDuration ?? SESSION_SECONDS_DEFAULT,
      };
      return { output: {}, ...identities.save([replaced(found, value)]) };
    },
  };
}

export function updateAssumeRolePolicy(deps: IamDeps): IamOperation<{ readonly RoleName: string; readonly PolicyDocument: string }> {
  const { identities } = deps;
  return {
    name: 'UpdateAssumeRolePolicy',
    isReadOnly: false,
    access: (call, { RoleName }) => entityAccess(deps, call, { action: 'UpdateAssumeRolePolicy', kind: 'Role', name: RoleName }),
    decide: async ({ account }, { RoleName, PolicyDocument }) => {
      const found = await identities.need('Role', account, RoleName);
      const trustPolicy = checkTrust(PolicyDocument);
      return { output: {}, ...identities.save([changed(found, { trustPolicy })]) };
    },
  };
}

export function deleteRole(deps: IamDeps): IamOperation<{ readonly RoleName: string }> {
  const { identities } = deps;
  return {
    name: 'DeleteRole',
    isReadOnly: false,
    access: (call, { RoleName }) => entityAccess(deps, call, { action: 'DeleteRole', kind: 'Role', name: RoleName }),
    decide: async ({ account }, { RoleName }) => {
      const found = await identities.need('Role', account, RoleName);
      if (Object.keys(found.value.inline).length > 0) throw deleteConflict('Cannot delete entity, must delete policies first.');
      if (found.value.attached.length > 0) throw deleteConflict('Cannot delete entity, must detach all policies first.');
      return { output: {}, ...identities.save([removed(found)]) };
    },
  };
}

/** None: instance profiles cannot be made here. Terraform asks before it deletes a role. */
export function listInstanceProfilesForRole(deps: IamDeps): IamOperation<{ readonly RoleName: string } & PageInput> {
  const action = 'ListInstanceProfilesForRole';
  return {
    name: action,
    isReadOnly: true,
    access: (call, { RoleName: name }) => entityAccess(deps, call, { action, kind: 'Role', name }),
    decide: async (call, input) => {
      await deps.identities.need('Role', call.account, input.RoleName);
      const { items, more } = await listPage(deps, { call, operation: action, input }, [], String);
      return { output: { InstanceProfiles: items, ...more } };
    },
  };
}
