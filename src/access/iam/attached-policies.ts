/**
 * `Attach…Policy`, `Detach…Policy`, `ListAttached…Policies`, `Put…PermissionsBoundary`, `Delete…PermissionsBoundary`.
 *
 * A policy that is attached or bounds somebody cannot be deleted: the change that attaches it holds the policy's own document fast.
 * Source: IAM API Reference.
 */

import type { AccountId } from '../../event/types.ts';
import { changed, type Identities, noSuchEntity } from '../identities.ts';
import { type EntityDocuments, type EntityKind, KINDS, parseIamArn } from '../identity-documents.ts';
import { policyGuard } from './check-policy.ts';
import { boundaryContext, entityAccess, type IamDeps, type IamOperation, invalidInput, limitExceeded } from './iam-deps.ts';
import { entityName, type NamedEntity } from './inline-policies.ts';
import { type PageInput, pageOf } from './page.ts';

const ATTACHED_MAX = 10;

type Found = Parameters<typeof changed<EntityDocuments[EntityKind]>>[0];

type AttachInput = NamedEntity & { readonly PolicyArn: string };

export function attachPolicy(deps: IamDeps, kind: EntityKind): IamOperation<AttachInput> {
  const action = `Attach${kind}Policy`;
  const { identities } = deps;
  return {
    name: action,
    isReadOnly: false,
    access: (call, input) => attachAccess(deps, call, { action, kind, input }),
    decide: async ({ account }, input) => {
      const found: Found = await identities.need(kind, account, entityName(kind, input));
      const { PolicyArn } = input;
      requirePolicyArn(PolicyArn);
      const guards = await policyGuard(identities, account, PolicyArn);
      const { attached } = found.value;
      if (attached.includes(PolicyArn)) return { output: {}, apply: async () => {} };
      if (attached.length >= ATTACHED_MAX) throw limitExceeded(`PoliciesPer${kind}`, ATTACHED_MAX);
      return { output: {}, apply: () => identities.commit([changed(found, { attached: [...attached, PolicyArn] }), ...guards]) };
    },
  };
}

function attachAccess(
  deps: IamDeps,
  call: Parameters<typeof entityAccess>[1],
  { action, kind, input }: { readonly action: string; readonly kind: EntityKind; readonly input: AttachInput },
) {
  return entityAccess(deps, call, {
    action,
    kind,
    name: entityName(kind, input),
    context: new Map([['iam:policyarn', [input.PolicyArn]]]),
  });
}

function requirePolicyArn(arn: string): void {
  if (parseIamArn(arn, 'policy') === undefined) throw invalidInput(`ARN ${arn} is not valid.`);
}

export function detachPolicy(deps: IamDeps, kind: EntityKind): IamOperation<AttachInput> {
  const action = `Detach${kind}Policy`;
  const { identities } = deps;
  return {
    name: action,
    isReadOnly: false,
    access: (call, input) => attachAccess(deps, call, { action, kind, input }),
    decide: async ({ account }, input) => {
      const found: Found = await identities.need(kind, account, entityName(kind, input));
      const { PolicyArn } = input;
      requirePolicyArn(PolicyArn);
      if (!found.value.attached.includes(PolicyArn)) throw noSuchEntity(`Policy ${PolicyArn} was not found.`);
      const attached = found.value.attached.filter((arn) => arn !== PolicyArn);
      return { output: {}, apply: () => identities.commit([changed(found, { attached })]) };
    },
  };
}

export function listAttachedPolicies(
  deps: IamDeps,
  kind: EntityKind,
): IamOperation<NamedEntity & PageInput & { readonly PathPrefix?: string }> {
  const action = `ListAttached${kind}Policies`;
  return {
    name: action,
    isReadOnly: true,
    access: (call, input) => entityAccess(deps, call, { action, kind, name: entityName(kind, input) }),
    decide: async ({ account }, input) => {
      const { value } = await deps.identities.need(kind, account, entityName(kind, input));
      const policies = await underPath(deps.identities, account, { arns: value.attached, prefix: input.PathPrefix ?? '/' });
      const { items, more } = pageOf(policies, input, ({ PolicyArn }) => PolicyArn);
      return { output: { AttachedPolicies: items, ...more } };
    },
  };
}

async function underPath(
  identities: Identities,
  account: AccountId,
  { arns, prefix }: { readonly arns: readonly string[]; readonly prefix: string },
) {
  const found = await Promise.all(arns.map((arn) => identities.findPolicy(account, arn)));
  return found.flatMap((policy, index) =>
    policy?.value.path.startsWith(prefix) ? [{ PolicyName: policy.value.name, PolicyArn: arns[index]! }] : [],
  );
}

export function putBoundary(deps: IamDeps, kind: 'User' | 'Role'): IamOperation<NamedEntity & { readonly PermissionsBoundary: string }> {
  const action = `Put${kind}PermissionsBoundary`;
  const { identities } = deps;
  return {
    name: action,
    isReadOnly: false,
    access: (call, input) =>
      entityAccess(deps, call, {
        action,
        kind,
        name: entityName(kind, input),
        context: new Map(boundaryContext(input.PermissionsBoundary)),
      }),
    decide: async ({ account }, input) => {
      const found = await identities.need(kind, account, entityName(kind, input));
      const boundary = input.PermissionsBoundary;
      requirePolicyArn(boundary);
      const guards = await policyGuard(identities, account, boundary);
      return {
        output: {},
        apply: () => identities.commit([{ key: found.key, value: { ...found.value, boundary }, expected: found.version }, ...guards]),
      };
    },
  };
}

export function deleteBoundary(deps: IamDeps, kind: 'User' | 'Role'): IamOperation<NamedEntity> {
  const action = `Delete${kind}PermissionsBoundary`;
  const { identities } = deps;
  return {
    name: action,
    isReadOnly: false,
    access: async (call, input) => {
      const found = await identities.find(kind, call.account, entityName(kind, input));
      const context = new Map(boundaryContext(found?.value.boundary));
      return entityAccess(deps, call, { action, kind, name: entityName(kind, input), context });
    },
    decide: async ({ account }, input) => {
      const found = await identities.need(kind, account, entityName(kind, input));
      const { boundary, ...value } = found.value;
      if (boundary === undefined) throw noSuchEntity(`${KINDS[kind].noun} ${found.value.name} does not have permissions boundary.`);
      return { output: {}, apply: () => identities.commit([{ key: found.key, value, expected: found.version }]) };
    },
  };
}
