/**
 * Finds what decides about a caller: its policies and tags, as they are now.
 *
 * The answer is kept until any identity or organization changes, so that a caller's policies are read and compiled once and a change holds for the
 * next call (A10).
 */
import type { Principal } from '../api/operation.ts';
import type { AccountId } from '../event/types.ts';
import type { Identities } from './identities.ts';
import { KINDS, type RoleDocument, type Tag, type UserDocument } from './identity-documents.ts';
import type { FindPrincipalPolicies, PolicyDocument, PrincipalPolicies } from './principal-policies.ts';

/** Most callers in memory. */
const CACHED_MAX = 10_000;

/** What organizations say of an account. */
export interface OrganizationLimits {
  /** Grows with each change of any organization. */
  readonly changes: () => number;
  readonly of: (account: AccountId) => Pick<PrincipalPolicies, 'serviceControl' | 'organizationId' | 'organizationPath'>;
}

export function principalPoliciesFinder(identities: Identities, organizations: OrganizationLimits): FindPrincipalPolicies {
  const cache = new Map<string, PrincipalPolicies>();
  const changesNow = () => identities.changes() + organizations.changes();
  let changes = changesNow();
  return async (principal) => {
    // Who comes with a token has no policies: the role's trust policy decides alone.
    if (principal.type === 'WebIdentityUser')
      return { identity: [], serviceControl: [], tags: new Map(), federatedProvider: principal.arn };
    if (changes !== changesNow()) {
      cache.clear();
      changes = changesNow();
    }
    const known = cache.get(principal.accessKeyId);
    if (known !== undefined) return known;
    const found = { ...(await readPolicies(identities, principal)), ...organizations.of(principal.account) };
    // A change that came meanwhile may not be in it.
    if (changes !== changesNow()) return found;
    if (cache.size >= CACHED_MAX) cache.clear();
    cache.set(principal.accessKeyId, found);
    return found;
  };
}

async function readPolicies(identities: Identities, principal: Principal): Promise<Omit<PrincipalPolicies, 'serviceControl'>> {
  const { account, session, type } = principal;
  const entity =
    type === 'IAMUser'
      ? (await identities.find('User', account, principal.userName!))?.value
      : session?.role && (await identities.find('Role', account, session.role.name))?.value;
  const boundary = entity?.boundary === undefined ? [] : await managed(identities, account, [entity.boundary]);
  return {
    identity: entity === undefined ? [] : await entityPolicies(identities, entity),
    // A boundary that cannot be found bounds everything.
    ...(entity?.boundary === undefined ? {} : { boundary: boundary[0] ?? NOTHING }),
    ...(session?.policies === undefined ? {} : { session: await sessionPolicies(identities, account, session.policies) }),
    tags: tagsOf(entity?.tags ?? [], session?.tags ?? []),
    ...(session?.role === undefined ? {} : { roleArn: session.role.arn }),
    ...(session === undefined ? {} : { sessionIssuedAtMs: session.issuedAtMs }),
    ...(session?.mfaAuthenticatedAtMs === undefined ? {} : { mfaAuthenticatedAtMs: session.mfaAuthenticatedAtMs }),
    ...(session?.sourceIdentity === undefined ? {} : { sourceIdentity: session.sourceIdentity }),
    ...(session?.federatedProvider === undefined ? {} : { federatedProvider: session.federatedProvider }),
  };
}

const NOTHING: PolicyDocument = {
  name: 'a permissions boundary that is gone',
  document: '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}',
};

async function entityPolicies(identities: Identities, entity: UserDocument | RoleDocument): Promise<readonly PolicyDocument[]> {
  const groups = entity.kind === 'User' ? entity.groups : [];
  const found = await Promise.all(groups.map((name) => identities.find('Group', entity.account, name)));
  const holders = [entity, ...found.flatMap((group) => (group === undefined ? [] : [group.value]))];
  const lists = holders.map(async (holder) => [
    ...Object.entries(holder.inline).map(([name, document]) => ({
      name: `inline policy ${name} of ${KINDS[holder.kind].noun} ${holder.name}`,
      document,
    })),
    ...(await managed(identities, holder.account, holder.attached)),
  ]);
  return (await Promise.all(lists)).flat();
}

/** The default versions of managed policies. One that is gone allows and denies nothing. */
async function managed(identities: Identities, account: AccountId, arns: readonly string[]): Promise<readonly PolicyDocument[]> {
  const found = await Promise.all(arns.map((arn) => identities.findPolicy(account, arn)));
  return found.flatMap((policy, index) => {
    const version = policy?.value.versions.find(({ id }) => id === policy.value.defaultVersionId);
    return version === undefined ? [] : [{ name: arns[index]!, document: version.document }];
  });
}

async function sessionPolicies(
  identities: Identities,
  account: AccountId,
  { inline, arns }: { readonly inline?: string; readonly arns: readonly string[] },
): Promise<readonly PolicyDocument[]> {
  return [...(inline === undefined ? [] : [{ name: 'session policy', document: inline }]), ...(await managed(identities, account, arns))];
}

/** A session's tag takes the place of the role's own; keys have no case. */
function tagsOf(own: readonly Tag[], session: readonly Tag[]): ReadonlyMap<string, string> {
  const taken = new Set(session.map(({ Key }) => Key.toLowerCase()));
  return new Map([...own.filter(({ Key }) => !taken.has(Key.toLowerCase())), ...session].map(({ Key, Value }) => [Key, Value]));
}
