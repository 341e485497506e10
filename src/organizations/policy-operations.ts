/**
 * Service control policies: documents that bind the accounts below what they are attached to.
 *
 * Where the type is not enabled, nothing binds. The policy that allows all is on everything that is new; each root, unit and account has
 * one policy at least, or nothing would be allowed there.
 */
import type { Operation } from '../api/operation.ts';
import { parsePolicy } from '../policy/parse-policy.ts';
import type { CatalogKey } from '../store/catalog.ts';
import { membershipKey, type Organization, organizationKey } from '../store/organization.ts';
import type { Change, Plan } from './directory.ts';
import { arnOf, type ControlPolicy, FULL_ACCESS, policyArn, policyKey, unitKey } from './documents.ts';
import { listing } from './listing.ts';
import { changing, managedBy, type OrganizationsDeps, randomText, readableBy, reading } from './operation-kinds.ts';
import { rootOutput } from './organization-operations.ts';
import { type Input, optionalText, text, word } from './read-input.ts';
import { constraint, invalidInput, refusal } from './refusals.ts';
import { readTags, tagging, takingTags, untagging } from './tags.ts';

/** Largest policy, in bytes. */
const CONTENT_MAX = 5_120;
const POLICIES_MAX = 1_000;
const ATTACHED_MAX = 5;

const TYPES = [
  'SERVICE_CONTROL_POLICY',
  'RESOURCE_CONTROL_POLICY',
  'TAG_POLICY',
  'BACKUP_POLICY',
  'AISERVICES_OPT_OUT_POLICY',
  'CHATBOT_POLICY',
  'DECLARATIVE_POLICY_EC2',
  'SECURITYHUB_POLICY',
] as const;

/** Something that policies are attached to. */
interface Target {
  readonly id: string;
  readonly arn: string;
  readonly name: string;
  readonly type: 'ROOT' | 'ORGANIZATIONAL_UNIT' | 'ACCOUNT';
  readonly policies: readonly string[];
  readonly with: (policies: readonly string[]) => Change;
}

export function policyOperations(deps: OrganizationsDeps): readonly Operation[] {
  const { directory } = deps;
  return [
    takingTags(createPolicy(deps)),
    updatePolicy(deps),
    reading('DescribePolicy', (call, input) => {
      const organization = readableBy(deps, call);
      return { Policy: policyOutput(organization, requirePolicy(deps, organization, text(input, 'PolicyId'))) };
    }),
    changing(deps, 'DeletePolicy', (call, input) => {
      const id = text(input, 'PolicyId');
      return () => {
        const organization = managedBy(deps, call);
        const policy = requireOwnPolicy(deps, organization, id);
        if (targetsOf(deps, organization).some(({ policies }) => policies.includes(id)))
          throw refusal('PolicyInUseException', `The policy \`${id}\` is attached: detach it everywhere first.`);
        return { organization, changes: [{ key: policyKey(policy), value: undefined }, ...untagging(deps, organization, id)], output: {} };
      };
    }),
    listing<ControlPolicy>(deps, 'ListPolicies', (call, input) => {
      requireType(input, 'Filter');
      const organization = readableBy(deps, call);
      return policyList(organization, [directory.policy(organization, FULL_ACCESS.id)!, ...directory.policies(organization)]);
    }),
    changing(deps, 'AttachPolicy', (call, input) => {
      const [id, targetId] = [text(input, 'PolicyId'), text(input, 'TargetId')];
      return () => attach(deps, requireEnabled(managedBy(deps, call)), id, targetId);
    }),
    changing(deps, 'DetachPolicy', (call, input) => {
      const [id, targetId] = [text(input, 'PolicyId'), text(input, 'TargetId')];
      return () => detach(deps, requireEnabled(managedBy(deps, call)), id, targetId);
    }),
    listing<ControlPolicy>(deps, 'ListPoliciesForTarget', (call, input) => {
      requireType(input, 'Filter');
      const organization = readableBy(deps, call);
      const target = requireTarget(deps, organization, text(input, 'TargetId'));
      const ids = organization.arePoliciesEnabled ? target.policies : [];
      return policyList(
        organization,
        ids.map((id) => directory.policy(organization, id)!),
      );
    }),
    listing<Target>(deps, 'ListTargetsForPolicy', (call, input) => {
      const organization = readableBy(deps, call);
      const { id } = requirePolicy(deps, organization, text(input, 'PolicyId'));
      const targets = organization.arePoliciesEnabled ? targetsOf(deps, organization).filter(({ policies }) => policies.includes(id)) : [];
      return {
        all: targets,
        idOf: (target) => target.id,
        answer: (items) => ({
          Targets: items.map((target) => ({ TargetId: target.id, Arn: target.arn, Name: target.name, Type: target.type })),
        }),
      };
    }),
    switchType(deps, 'EnablePolicyType', true),
    switchType(deps, 'DisablePolicyType', false),
  ] as readonly Operation[];
}

function policyList(organization: Organization, all: readonly ControlPolicy[]) {
  return {
    all,
    idOf: ({ id }: ControlPolicy) => id,
    answer: (items: readonly ControlPolicy[]) => ({ Policies: items.map((policy) => summaryOutput(organization, policy)) }),
  };
}

function createPolicy(deps: OrganizationsDeps) {
  return changing(deps, 'CreatePolicy', (call, input) => {
    requireType(input, 'Type');
    const tags = readTags(input);
    const [name, description] = [text(input, 'Name'), text(input, 'Description')];
    const content = readContent(text(input, 'Content'));
    const id = `p-${randomText(deps, 10)}`;
    return () => {
      const organization = managedBy(deps, call);
      if (organization.featureSet !== 'ALL')
        throw refusal('PolicyTypeNotAvailableForOrganizationException', 'Service control policies need an organization with all features.');
      const others = deps.directory.policies(organization);
      if (others.length >= POLICIES_MAX)
        throw constraint('POLICY_NUMBER_LIMIT_EXCEEDED', `The organization has ${POLICIES_MAX} policies already.`);
      requireFreeName(others, name);
      const policy: ControlPolicy = { id, organizationId: organization.id, name, description, content };
      return {
        organization,
        changes: [{ key: policyKey(policy), value: policy }, ...tagging(organization, id, tags)],
        output: { Policy: policyOutput(organization, policy) },
      };
    };
  });
}

function updatePolicy(deps: OrganizationsDeps) {
  return changing(deps, 'UpdatePolicy', (call, input) => {
    const id = text(input, 'PolicyId');
    const [name, description] = [optionalText(input, 'Name'), optionalText(input, 'Description')];
    const given = optionalText(input, 'Content');
    const content = given === undefined ? undefined : readContent(given);
    return () => {
      const organization = managedBy(deps, call);
      const before = requireOwnPolicy(deps, organization, id);
      const policy: ControlPolicy = {
        ...before,
        name: name ?? before.name,
        description: description ?? before.description,
        content: content ?? before.content,
      };
      requireFreeName(
        deps.directory.policies(organization).filter((other) => other.id !== id),
        policy.name,
      );
      return {
        organization,
        changes: [{ key: policyKey(policy), value: policy }],
        output: { Policy: policyOutput(organization, policy) },
      };
    };
  });
}

function attach(deps: OrganizationsDeps, organization: Organization, id: string, targetId: string): Plan<object> {
  requirePolicy(deps, organization, id);
  const target = requireTarget(deps, organization, targetId);
  if (target.policies.includes(id))
    throw refusal('DuplicatePolicyAttachmentException', `The policy \`${id}\` is attached to \`${targetId}\` already.`);
  if (target.policies.length >= ATTACHED_MAX)
    throw constraint('MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED', `\`${targetId}\` has ${ATTACHED_MAX} policies already.`);
  return { organization, changes: [target.with([...target.policies, id])], output: {} };
}

function detach(deps: OrganizationsDeps, organization: Organization, id: string, targetId: string): Plan<object> {
  requirePolicy(deps, organization, id);
  const target = requireTarget(deps, organization, targetId);
  if (!target.policies.includes(id))
    throw refusal('PolicyNotAttachedException', `The policy \`${id}\` is not attached to \`${targetId}\`.`);
  if (target.policies.length === 1)
    throw constraint('MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED', `\`${targetId}\` must keep one policy: attach another one first.`);
  return { organization, changes: [target.with(target.policies.filter((each) => each !== id))], output: {} };
}

/** What was attached is forgotten when the type is switched off, as the service does. */
function switchType(deps: OrganizationsDeps, name: string, isEnabled: boolean) {
  return changing(deps, name, (call, input) => {
    const rootId = text(input, 'RootId');
    requireType(input, 'PolicyType');
    return () => {
      const organization = managedBy(deps, call);
      if (organization.featureSet !== 'ALL')
        throw refusal('PolicyTypeNotAvailableForOrganizationException', 'Service control policies need an organization with all features.');
      if (rootId !== organization.rootId) throw refusal('RootNotFoundException', `There is no root \`${rootId}\` in the organization.`);
      if (organization.arePoliciesEnabled === isEnabled)
        throw isEnabled
          ? refusal('PolicyTypeAlreadyEnabledException', 'The specified policy type is already enabled.')
          : refusal('PolicyTypeNotEnabledException', 'The specified policy type is not enabled.');
      const changed: Organization = { ...organization, rootPolicies: [FULL_ACCESS.id], arePoliciesEnabled: isEnabled };
      const reset = targetsOf(deps, organization).filter(({ type, policies }) => type !== 'ROOT' && policies.join() !== FULL_ACCESS.id);
      return {
        organization,
        changes: [
          { key: organizationKey(organization.id), value: changed },
          ...(isEnabled ? [] : reset.map((target) => target.with([FULL_ACCESS.id]))),
        ],
        output: { Root: rootOutput(changed) },
      };
    };
  });
}

function requireEnabled(organization: Organization): Organization {
  if (organization.arePoliciesEnabled) return organization;
  throw refusal('PolicyTypeNotEnabledException', 'Service control policies are not enabled: enable the policy type first.');
}

/** @throws ApiError for types that this installation does not have, and for what is no type. */
function requireType(input: Input, member: string): void {
  if (word(input, member, TYPES) === 'SERVICE_CONTROL_POLICY') return;
  throw refusal('PolicyTypeNotAvailableForOrganizationException', 'Of the policy types SERVICE_CONTROL_POLICY alone is available here.');
}

function readContent(content: string): string {
  const size = new TextEncoder().encode(content).length;
  if (size > CONTENT_MAX)
    throw constraint('POLICY_CONTENT_LIMIT_EXCEEDED', `The policy has ${size} bytes; at most ${CONTENT_MAX} are allowed.`);
  const parsed = parsePolicy(content, 'service-control');
  if (parsed.kind === 'malformed')
    throw refusal('MalformedPolicyDocumentException', `The provided policy document is not valid: ${parsed.reason}.`);
  return content;
}

function requirePolicy({ directory }: OrganizationsDeps, organization: Organization, id: string): ControlPolicy {
  const policy = directory.policy(organization, id);
  if (policy === undefined) throw refusal('PolicyNotFoundException', `We can't find a policy with the PolicyId \`${id}\`.`);
  return policy;
}

/** One that may be changed. */
function requireOwnPolicy(deps: OrganizationsDeps, organization: Organization, id: string): ControlPolicy {
  if (id === FULL_ACCESS.id) throw invalidInput('IMMUTABLE_POLICY', `The policy ${FULL_ACCESS.name} cannot be changed.`);
  return requirePolicy(deps, organization, id);
}

function requireFreeName(policies: readonly ControlPolicy[], name: string): void {
  if (name === FULL_ACCESS.name || policies.some((policy) => policy.name === name))
    throw refusal('DuplicatePolicyException', `A policy of the name \`${name}\` exists already.`);
}

function requireTarget(deps: OrganizationsDeps, organization: Organization, id: string): Target {
  const target = targetsOf(deps, organization).find((each) => each.id === id);
  if (target === undefined) throw refusal('TargetNotFoundException', `We can't find a root, OU or account with the TargetId \`${id}\`.`);
  return target;
}

function targetsOf({ directory }: OrganizationsDeps, organization: Organization): readonly Target[] {
  const to = (key: CatalogKey, document: object, member: string) => (policies: readonly string[]) => ({
    key,
    value: { ...document, [member]: policies },
  });
  const { id, rootId, rootPolicies } = organization;
  return [
    {
      ...{ id: rootId, arn: arnOf(organization, 'root', rootId), name: 'Root', type: 'ROOT', policies: rootPolicies },
      with: to(organizationKey(id), organization, 'rootPolicies'),
    },
    ...directory.units(organization).map(
      (unit): Target => ({
        ...{ id: unit.id, arn: arnOf(organization, 'ou', unit.id), name: unit.name, type: 'ORGANIZATIONAL_UNIT', policies: unit.policies },
        with: to(unitKey(unit), unit, 'policies'),
      }),
    ),
    ...directory.members(organization).map(
      (member): Target => ({
        ...{ id: member.account, arn: arnOf(organization, 'account', member.account), name: member.name, type: 'ACCOUNT' },
        policies: member.policies,
        with: to(membershipKey(member.account), member, 'policies'),
      }),
    ),
  ];
}

function summaryOutput(organization: Organization, { id, name, description }: ControlPolicy): object {
  return {
    ...{ Id: id, Arn: policyArn(organization, id), Name: name, Description: description },
    ...{ Type: 'SERVICE_CONTROL_POLICY', AwsManaged: id === FULL_ACCESS.id },
  };
}

function policyOutput(organization: Organization, policy: ControlPolicy): object {
  return { PolicySummary: summaryOutput(organization, policy), Content: policy.content };
}
