/**
 * Users, groups, roles and managed policies, as they lie in the catalog.
 *
 * A document holds all that belongs to its entity alone (attached and inline policies, tags, groups of a user), so that one read
 * is enough to decide a call and one compare-and-set changes it. Names are unique in any case, and are found by their own.
 * Source: IAM User Guide, "IAM identifiers", "IAM and AWS STS quotas".
 */
import type { AccountId, EpochMs } from '../event/types.ts';
import type { CatalogKey } from '../store/catalog.ts';

export interface Tag {
  readonly Key: string;
  readonly Value: string;
}

export type EntityKind = 'User' | 'Group' | 'Role';

interface EntityDocument {
  readonly account: AccountId;
  readonly name: string;
  /** `AIDA…`, `AGPA…`, `AROA…`: never used again, unlike the name. */
  readonly id: string;
  /** Begins and ends with a slash. */
  readonly path: string;
  readonly createdAtMs: EpochMs;
  /** ARNs of managed policies, in the order of their attaching. */
  readonly attached: readonly string[];
  /** Texts of inline policies by name. */
  readonly inline: Readonly<Record<string, string>>;
}

export interface UserDocument extends EntityDocument {
  readonly kind: 'User';
  readonly tags: readonly Tag[];
  /** ARN of the managed policy that bounds what the user may do. */
  readonly boundary?: string;
  /** Names of groups. */
  readonly groups: readonly string[];
  readonly accessKeyIds: readonly string[];
  /** Serial numbers of the devices that are enabled for the user. */
  readonly mfaSerials: readonly string[];
}

export interface GroupDocument extends EntityDocument {
  readonly kind: 'Group';
}

export interface RoleDocument extends EntityDocument {
  readonly kind: 'Role';
  readonly tags: readonly Tag[];
  readonly boundary?: string;
  readonly description?: string;
  readonly maxSessionSeconds: number;
  /** Text of the policy that says who may assume it. */
  readonly trustPolicy: string;
}

export interface EntityDocuments {
  readonly User: UserDocument;
  readonly Group: GroupDocument;
  readonly Role: RoleDocument;
}

export interface PolicyVersion {
  /** `v1`, `v2`, … */
  readonly id: string;
  readonly document: string;
  readonly createdAtMs: EpochMs;
}

/** A managed policy: a customer's, or one that every account has (`account` is then `aws`). */
export interface PolicyDocument {
  readonly account: AccountId | 'aws';
  readonly name: string;
  readonly id: string;
  readonly path: string;
  readonly description?: string;
  readonly createdAtMs: EpochMs;
  readonly updatedAtMs: EpochMs;
  readonly tags: readonly Tag[];
  /** Oldest first; 1 to 5. */
  readonly versions: readonly PolicyVersion[];
  readonly defaultVersionId: string;
  /** Number of the version that comes next: numbers are not used again. */
  readonly nextVersion: number;
}

/** How the kinds of entities differ. */
export const KINDS = {
  User: { noun: 'user', table: 'iam-user', arnType: 'user', idPrefix: 'AIDA', nameMember: 'UserName', inlineSizeMax: 2_048 },
  Group: { noun: 'group', table: 'iam-group', arnType: 'group', idPrefix: 'AGPA', nameMember: 'GroupName', inlineSizeMax: 5_120 },
  Role: { noun: 'role', table: 'iam-role', arnType: 'role', idPrefix: 'AROA', nameMember: 'RoleName', inlineSizeMax: 10_240 },
} as const;

export function entityKey(kind: EntityKind, account: AccountId, name: string): CatalogKey {
  return [KINDS[kind].table, account, name.toLowerCase()];
}

export function policyKey(account: AccountId, name: string): CatalogKey {
  return ['iam-policy', account, name.toLowerCase()];
}

/** `arn:aws:iam::111122223333:user/path/name`. */
export function entityArn({
  kind,
  account,
  path,
  name,
}: Pick<UserDocument | GroupDocument | RoleDocument, 'kind' | 'account' | 'path' | 'name'>): string {
  return `arn:aws:iam::${account}:${KINDS[kind].arnType}${path}${name}`;
}

export function policyArn({ account, path, name }: Pick<PolicyDocument, 'account' | 'path' | 'name'>): string {
  return `arn:aws:iam::${account}:policy${path}${name}`;
}

/** The account and the name in an ARN of a managed policy or an entity; `undefined` when it is no such ARN. */
export function parseIamArn(
  arn: string,
  type: 'policy' | 'user' | 'group' | 'role',
): { readonly account: AccountId | 'aws'; readonly name: string } | undefined {
  const match = /^arn:aws:iam::(\d{12}|aws):([a-z]+)\/(?:[\x21-\x7e]*\/)?([\w+=,.@-]{1,128})$/.exec(arn);
  return match === null || match[2] !== type ? undefined : { account: match[1] as AccountId | 'aws', name: match[3]! };
}
