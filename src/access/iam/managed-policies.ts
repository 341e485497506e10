/**
 * Managed policies and their versions.
 *
 * A policy has five versions at most; one of them is the default, which is the one that counts. AWS's own can be read and attached,
 * and never changed.
 * Source: IAM API Reference; IAM User Guide, "Versioning IAM policies".
 */
import { ApiError } from '../../api/api-error.ts';
import type { Call } from '../../api/operation.ts';
import { requestTagContext } from '../../api/tags.ts';
import type { AccountId } from '../../event/types.ts';
import type { CatalogDocument } from '../../store/catalog.ts';
import { AWS_MANAGED_POLICIES } from '../aws-managed-policies.ts';
import { type Identities, noSuchEntity } from '../identities.ts';
import { added, changed, removed } from '../identity-changes.ts';
import {
  type EntityKind,
  type GroupDocument,
  type PolicyDocument,
  parseIamArn,
  policyArn,
  policyKey,
  type RoleDocument,
  type Tag,
  type UserDocument,
} from '../identity-documents.ts';
import { checkPolicy, policySize } from './check-policy.ts';
import {
  alreadyExists,
  checkTags,
  deleteConflict,
  type IamDeps,
  type IamOperation,
  invalidInput,
  limitExceeded,
  newId,
} from './iam-deps.ts';
import { type PolicyUse, policyOutput, versionOutput } from './outputs.ts';
import { listPage, type PageInput } from './page.ts';

const POLICIES_MAX = 1_500;
const VERSIONS_MAX = 5;
const POLICY_SIZE_MAX = 6_144;

interface PolicyInput {
  readonly PolicyArn: string;
}

interface CreatePolicyInput {
  readonly PolicyName: string;
  readonly PolicyDocument: string;
  readonly Path?: string;
  readonly Description?: string;
  readonly Tags?: readonly Tag[];
}

export function createPolicy({ identities, clock, chance }: IamDeps): IamOperation<CreatePolicyInput> {
  return {
    name: 'CreatePolicy',
    isReadOnly: false,
    access: (call, { PolicyName: name, Path: path = '/', Tags }) => [
      { action: 'iam:CreatePolicy', resource: policyArn({ account: call.account, path, name }), context: requestTagContext(Tags) },
    ],
    decide: async ({ account }, { PolicyName: name, PolicyDocument, Path: path = '/', Description: description, Tags: tags = [] }) => {
      const document = checkManaged(PolicyDocument);
      checkTags(tags);
      const key = policyKey(account, name);
      if (await identities.isTaken(key)) throw alreadyExists(`A policy called ${name} already exists. Duplicate names are not allowed.`);
      if ((await identities.listPolicies(account)).length >= POLICIES_MAX) throw limitExceeded('PoliciesPerAccount', POLICIES_MAX);
      const nowMs = clock.nowMs();
      const policy: PolicyDocument = {
        account,
        name,
        id: newId(chance, 'ANPA'),
        path,
        ...(description === undefined || description === '' ? {} : { description }),
        createdAtMs: nowMs,
        updatedAtMs: nowMs,
        tags,
        versions: [{ id: 'v1', document, createdAtMs: nowMs }],
        defaultVersionId: 'v1',
        nextVersion: 2,
      };
      return {
        output: { Policy: policyOutput(policy, { attachments: 0, boundaries: 0 }, true) },
        ...identities.save([added(key, policy)]),
      };
    },
  };
}

/** @throws ApiError MalformedPolicyDocument, LimitExceeded */
function checkManaged(text: string): string {
  checkPolicy(text, 'identity');
  if (policySize(text) > POLICY_SIZE_MAX) throw limitExceeded('PolicySize', POLICY_SIZE_MAX);
  return text;
}

function access(action: string) {
  return (_: Call, { PolicyArn }: PolicyInput) => [{ action: `iam:${action}`, resource: PolicyArn }];
}

/** @throws ApiError NoSuchEntity, also for a policy of another account. */
async function needPolicy(identities: Identities, { account }: Call, arn: string): Promise<CatalogDocument<PolicyDocument>> {
  if (parseIamArn(arn, 'policy') === undefined) throw invalidInput(`ARN ${arn} is not valid.`);
  const found = await identities.findPolicy(account, arn);
  if (found !== undefined) return found;
  throw noSuchEntity(`Policy ${arn} was not found.`);
}

/** As `needPolicy`, for a change. @throws ApiError AccessDenied for a policy of AWS. */
async function needOwnPolicy(identities: Identities, call: Call, arn: string): Promise<CatalogDocument<PolicyDocument>> {
  const found = await needPolicy(identities, call, arn);
  if (found.value.account !== 'aws') return found;
  throw new ApiError('AccessDenied', `${arn} is a policy of AWS, which nobody can change.`, { status: 403 });
}

export function getPolicy({ identities }: IamDeps): IamOperation<PolicyInput> {
  return {
    name: 'GetPolicy',
    isReadOnly: true,
    access: access('GetPolicy'),
    decide: async (call, { PolicyArn }) => {
      const { value } = await needPolicy(identities, call, PolicyArn);
      return { output: { Policy: policyOutput(value, (await usesOf(identities, call.account)).of(PolicyArn), true) } };
    },
  };
}

interface ListPoliciesInput extends PageInput {
  readonly Scope?: 'All' | 'AWS' | 'Local';
  readonly OnlyAttached?: boolean;
  readonly PathPrefix?: string;
  readonly PolicyUsageFilter?: 'PermissionsPolicy' | 'PermissionsBoundary';
}

export function listPolicies(deps: IamDeps): IamOperation<ListPoliciesInput> {
  return {
    name: 'ListPolicies',
    isReadOnly: true,
    access: (call, { PathPrefix = '/' }) => [{ action: 'iam:ListPolicies', resource: `arn:aws:iam::${call.account}:policy${PathPrefix}` }],
    decide: async (call, input) => {
      const { identities } = deps;
      const { account } = call;
      const { Scope: scope = 'All', PathPrefix: prefix = '/', PolicyUsageFilter: filter } = input;
      const uses = await usesOf(identities, account);
      const all = [
        ...(scope === 'AWS' ? [] : await identities.listPolicies(account)),
        ...(scope === 'Local' ? [] : AWS_MANAGED_POLICIES.values()),
      ].filter((policy) => {
        const use = uses.of(policyArn(policy));
        const isUsed = filter === 'PermissionsBoundary' ? use.boundaries > 0 : use.attachments > 0;
        return policy.path.startsWith(prefix) && (isUsed || (input.OnlyAttached !== true && filter === undefined));
      });
      const { items, more } = await listPage(deps, { call, operation: 'ListPolicies', input }, all, policyArn);
      return { output: { Policies: items.map((policy) => policyOutput(policy, uses.of(policyArn(policy)))), ...more } };
    },
  };
}

/** Who in an account uses which managed policies. */
async function usesOf(identities: Identities, account: AccountId) {
  const entities: readonly (UserDocument | GroupDocument | RoleDocument)[] = [
    ...(await identities.list('User', account)),
    ...(await identities.list('Group', account)),
    ...(await identities.list('Role', account)),
  ];
  const attachedTo = (arn: string) => entities.filter(({ attached }) => attached.includes(arn));
  const boundedBy = (arn: string) => entities.filter((entity) => entity.kind !== 'Group' && entity.boundary === arn);
  return {
    attachedTo,
    boundedBy,
    of: (arn: string): PolicyUse => ({ attachments: attachedTo(arn).length, boundaries: boundedBy(arn).length }),
  };
}

export function deletePolicy({ identities }: IamDeps): IamOperation<PolicyInput> {
  return {
    name: 'DeletePolicy',
    isReadOnly: false,
    access: access('DeletePolicy'),
    decide: async (call, { PolicyArn }) => {
      const found = await needOwnPolicy(identities, call, PolicyArn);
      const { attachments, boundaries } = (await usesOf(identities, call.account)).of(PolicyArn);
      if (attachments > 0) throw deleteConflict('Cannot delete a policy attached to entities.');
      if (boundaries > 0) throw deleteConflict('Cannot delete a policy that is used as a permissions boundary.');
      if (found.value.versions.length > 1)
        throw deleteConflict('This policy has more than one version. Before you delete a policy, you must delete the policy versions.');
      return { output: {}, ...identities.save([removed(found)]) };
    },
  };
}

interface ListEntitiesInput extends PageInput, PolicyInput {
  readonly EntityFilter?: string;
  readonly PathPrefix?: string;
  readonly PolicyUsageFilter?: 'PermissionsPolicy' | 'PermissionsBoundary';
}

export function listEntitiesForPolicy(deps: IamDeps): IamOperation<ListEntitiesInput> {
  return {
    name: 'ListEntitiesForPolicy',
    isReadOnly: true,
    access: access('ListEntitiesForPolicy'),
    decide: async (call, input) => {
      await needPolicy(deps.identities, call, input.PolicyArn);
      const uses = await usesOf(deps.identities, call.account);
      const filter = input.PolicyUsageFilter;
      const using = [
        ...(filter === 'PermissionsBoundary' ? [] : uses.attachedTo(input.PolicyArn)),
        ...(filter === 'PermissionsPolicy' ? [] : uses.boundedBy(input.PolicyArn)),
      ].filter(
        ({ kind, path }) => path.startsWith(input.PathPrefix ?? '/') && (input.EntityFilter === undefined || input.EntityFilter === kind),
      );
      const list = { call, operation: 'ListEntitiesForPolicy', input };
      const { items, more } = await listPage(deps, list, [...new Set(using)], ({ kind, name }) => `${kind}/${name}`);
      const of = (wanted: EntityKind) => items.filter(({ kind }) => kind === wanted);
      return {
        output: {
          PolicyGroups: of('Group').map(({ name, id }) => ({ GroupName: name, GroupId: id })),
          PolicyUsers: of('User').map(({ name, id }) => ({ UserName: name, UserId: id })),
          PolicyRoles: of('Role').map(({ name, id }) => ({ RoleName: name, RoleId: id })),
          ...more,
        },
      };
    },
  };
}

interface CreateVersionInput extends PolicyInput {
  readonly PolicyDocument: string;
  readonly SetAsDefault?: boolean;
}

export function createPolicyVersion({ identities, clock }: IamDeps): IamOperation<CreateVersionInput> {
  return {
    name: 'CreatePolicyVersion',
    isReadOnly: false,
    access: access('CreatePolicyVersion'),
    decide: async (call, { PolicyArn, PolicyDocument, SetAsDefault = false }) => {
      const found = await needOwnPolicy(identities, call, PolicyArn);
      const document = checkManaged(PolicyDocument);
      const policy = found.value;
      if (policy.versions.length >= VERSIONS_MAX)
        throw new ApiError(
          'LimitExceeded',
          `A managed policy can have up to ${VERSIONS_MAX} versions. Before you create a new version, you must delete an existing version.`,
          { status: 409 },
        );
      const nowMs = clock.nowMs();
      const version = { id: `v${policy.nextVersion}`, document, createdAtMs: nowMs };
      const value: PolicyDocument = {
        ...policy,
        versions: [...policy.versions, version],
        nextVersion: policy.nextVersion + 1,
        defaultVersionId: SetAsDefault ? version.id : policy.defaultVersionId,
        updatedAtMs: nowMs,
      };
      return {
        output: { PolicyVersion: versionOutput(value, version, false) },
        ...identities.save([changed(found, value)]),
      };
    },
  };
}

interface VersionInput extends PolicyInput {
  readonly VersionId: string;
}

function needVersion(policy: PolicyDocument, id: string) {
  const version = policy.versions.find((each) => each.id === id);
  if (version !== undefined) return version;
  throw noSuchEntity(`Policy ${policyArn(policy)} version ${id} does not exist or is not attachable.`);
}

export function getPolicyVersion({ identities }: IamDeps): IamOperation<VersionInput> {
  return {
    name: 'GetPolicyVersion',
    isReadOnly: true,
    access: access('GetPolicyVersion'),
    decide: async (call, { PolicyArn, VersionId }) => {
      const { value } = await needPolicy(identities, call, PolicyArn);
      return { output: { PolicyVersion: versionOutput(value, needVersion(value, VersionId), true) } };
    },
  };
}

export function listPolicyVersions(deps: IamDeps): IamOperation<PolicyInput & PageInput> {
  return {
    name: 'ListPolicyVersions',
    isReadOnly: true,
    access: access('ListPolicyVersions'),
    decide: async (call, input) => {
      const { value } = await needPolicy(deps.identities, call, input.PolicyArn);
      // Newest first.
      const order = (id: string) => String(1_000_000_000 - Number(id.slice(1)));
      const list = { call, operation: 'ListPolicyVersions', input };
      const { items, more } = await listPage(deps, list, value.versions, ({ id }) => order(id));
      return { output: { Versions: items.map((version) => versionOutput(value, version, false)), ...more } };
    },
  };
}

export function deletePolicyVersion({ identities }: IamDeps): IamOperation<VersionInput> {
  return {
    name: 'DeletePolicyVersion',
    isReadOnly: false,
    access: access('DeletePolicyVersion'),
    decide: async (call, { PolicyArn, VersionId }) => {
      const found = await needOwnPolicy(identities, call, PolicyArn);
      needVersion(found.value, VersionId);
      if (VersionId === found.value.defaultVersionId) throw deleteConflict('Cannot delete the default version of a policy.');
      const versions = found.value.versions.filter(({ id }) => id !== VersionId);
      return { output: {}, ...identities.save([changed(found, { versions })]) };
    },
  };
}

export function setDefaultPolicyVersion({ identities, clock }: IamDeps): IamOperation<VersionInput> {
  return {
    name: 'SetDefaultPolicyVersion',
    isReadOnly: false,
    access: access('SetDefaultPolicyVersion'),
    decide: async (call, { PolicyArn, VersionId }) => {
      const found = await needOwnPolicy(identities, call, PolicyArn);
      needVersion(found.value, VersionId);
      return {
        output: {},
        ...identities.save([changed(found, { defaultVersionId: VersionId, updatedAtMs: clock.nowMs() })]),
      };
    },
  };
}
