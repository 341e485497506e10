/**
 * What an organization holds beside its accounts: units, policies, handshakes, requests for accounts. And how each is named.
 *
 * Source: AWS Organizations API Reference, data types.
 */
import type { Tag } from '../api/tags.ts';
import type { AccountId, EpochMs } from '../event/types.ts';
import type { CatalogKey } from '../store/catalog.ts';
import type { Organization } from '../store/organization.ts';

/** What the service calls a unit of accounts. */
export interface Unit {
  readonly id: string;
  readonly organizationId: string;
  readonly name: string;
  /** Id of the root or of another unit. */
  readonly parent: string;
  /** Ids of the policies on it. */
  readonly policies: readonly string[];
}

/** A service control policy. */
export interface ControlPolicy {
  readonly id: string;
  readonly organizationId: string;
  readonly name: string;
  readonly description: string;
  /** IAM policy JSON, as it was given. */
  readonly content: string;
}

export interface Handshake {
  readonly id: string;
  readonly organizationId: string;
  readonly management: AccountId;
  readonly target: AccountId;
  readonly state: 'OPEN' | 'CANCELED' | 'ACCEPTED' | 'DECLINED';
  readonly requestedAtMs: EpochMs;
  readonly expiresAtMs: EpochMs;
  readonly notes?: string;
  /** For the account, once it accepts. */
  readonly tags?: readonly Tag[];
}

/** A request for a new account. */
export interface AccountRequest {
  readonly id: string;
  readonly organizationId: string;
  readonly accountName: string;
  readonly state: 'SUCCEEDED' | 'FAILED';
  readonly requestedAtMs: EpochMs;
  readonly completedAtMs: EpochMs;
  readonly account?: AccountId;
  readonly failureReason?: 'EMAIL_ALREADY_EXISTS';
}

/** Tags of an account, a unit, a policy or the root, by its id. What has none has no document. */
export interface ResourceTags {
  readonly id: string;
  readonly organizationId: string;
  readonly tags: readonly Tag[];
}

type Named = { readonly organizationId: string; readonly id: string };

export const unitKey = ({ organizationId, id }: Named): CatalogKey => ['organization-unit', organizationId, id];
export const policyKey = ({ organizationId, id }: Named): CatalogKey => ['organization-policy', organizationId, id];
export const handshakeKey = ({ organizationId, id }: Named): CatalogKey => ['organization-handshake', organizationId, id];
export const requestKey = ({ organizationId, id }: Named): CatalogKey => ['organization-request', organizationId, id];
export const tagsKey = ({ organizationId, id }: Named): CatalogKey => ['organization-tags', organizationId, id];

/** The policy that the service keeps: on everything that is new, so that nothing is forbidden until somebody forbids it. */
export const FULL_ACCESS = {
  id: 'p-FullAWSAccess',
  name: 'FullAWSAccess',
  description: 'Allows access to every operation',
  content: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}',
} as const;

type Owned = Pick<Organization, 'id' | 'management'>;

/** ARN of something of the organization: `account`, `ou`, `root`, `handshake`, `organization`. */
export function arnOf({ id, management }: Owned, kind: string, name?: string): string {
  return `arn:aws:organizations::${management}:${kind}/${id}${name === undefined ? '' : `/${name}`}`;
}

export function policyArn(organization: Owned, policyId: string): string {
  if (policyId === FULL_ACCESS.id) return `arn:aws:organizations::aws:policy/service_control_policy/${policyId}`;
  return arnOf(organization, 'policy', `service_control_policy/${policyId}`);
}
