/**
 * All organizations of the installation: read from the catalog once, then held in memory and changed here alone.
 *
 * Every call asks which policies bind its account, so that reads must cost nothing. A change is planned on what is here, planned again
 * when its turn comes, and then: its `configuration` fact, one commit of the catalog, and only then this memory.
 */
import type { Call } from '../api/operation.ts';
import type { Tag } from '../api/tags.ts';
import type { AccountId, Region } from '../event/types.ts';
import { appendConfiguration } from '../store/append-configuration.ts';
import type { Catalog, CatalogChange, CatalogKey } from '../store/catalog.ts';
import type { Journal } from '../store/journal.ts';
import type { Membership, Organization } from '../store/organization.ts';
import type { Sha256 } from '../tlog/hash.ts';
import {
  type AccountRequest,
  arnOf,
  type ControlPolicy,
  FULL_ACCESS,
  type Handshake,
  policyArn,
  type ResourceTags,
  tagsKey,
  type Unit,
} from './documents.ts';

/** Region of the facts: the service is a global one. */
const GLOBAL_REGION = 'us-east-1' as Region;
const KINDS = [
  'organization',
  'membership',
  'organization-unit',
  'organization-policy',
  'organization-handshake',
  'organization-request',
  'organization-tags',
];

/** A document as it becomes; `undefined` takes it away. */
export interface Change {
  readonly key: CatalogKey;
  readonly value: object | undefined;
}

export interface Plan<Output> {
  readonly organization: Organization;
  readonly changes: readonly Change[];
  readonly output: Output;
}

/**
 * Carries out a change of who belongs to an organization, with what its trails must know of it, in one commit. The fact comes first, at
 * the place in the journal from which on the change counts.
 */
export type ChangeMembers = (change: {
  readonly organization: Organization;
  /** As they become, by number. */
  readonly members: readonly AccountId[];
  readonly call: Call;
  readonly event: string;
  readonly appendFact: () => Promise<bigint>;
  readonly alongside: readonly CatalogChange[];
}) => Promise<void>;

/** What an organization says of an account's calls. */
interface Limits {
  readonly organizationId?: string;
  /** Such as `o-exampleorgid/r-ab12/ou-ab12-11111111/`. */
  readonly organizationPath?: string;
  readonly serviceControl: readonly (readonly { readonly name: string; readonly document: string }[])[];
}

export interface DirectoryDeps {
  readonly catalog: Catalog;
  readonly journal: Pick<Journal, 'append'>;
  readonly sha256: Sha256;
  readonly changeMembers: ChangeMembers;
}

export class Directory {
  readonly #deps: DirectoryDeps;
  /** By kind, then by the whole key as text. Written by `open` and `change` alone. */
  readonly #documents = new Map<string, Map<string, object>>(KINDS.map((kind) => [kind, new Map()]));
  #changes = 0;
  #last: Promise<unknown> = Promise.resolve();

  static async open(deps: DirectoryDeps): Promise<Directory> {
    const directory = new Directory(deps);
    for (const kind of KINDS)
      for (const { key, value } of await deps.catalog.list<object>([kind])) directory.#documents.get(kind)!.set(textOf(key), value);
    return directory;
  }

  private constructor(deps: DirectoryDeps) {
    this.#deps = deps;
  }

  organization(id: string): Organization | undefined {
    return this.#documents.get('organization')!.get(textOf(['organization', id])) as Organization | undefined;
  }

  membership(account: AccountId): Membership | undefined {
    return this.#documents.get('membership')!.get(textOf(['membership', account])) as Membership | undefined;
  }

  members({ id }: Organization): readonly Membership[] {
    return this.#all<Membership>('membership').filter((member) => member.organizationId === id);
  }

  units({ id }: Organization): readonly Unit[] {
    return this.#all<Unit>('organization-unit').filter((unit) => unit.organizationId === id);
  }

  policies({ id }: Organization): readonly ControlPolicy[] {
    return this.#all<ControlPolicy>('organization-policy').filter((policy) => policy.organizationId === id);
  }

  handshakes(): readonly Handshake[] {
    return this.#all<Handshake>('organization-handshake');
  }

  requests({ id }: Organization): readonly AccountRequest[] {
    return this.#all<AccountRequest>('organization-request').filter((request) => request.organizationId === id);
  }

  /** Of an account, a unit, a policy or the root. */
  tags({ id: organizationId }: Pick<Organization, 'id'>, id: string): readonly Tag[] {
    const found = this.#documents.get('organization-tags')!.get(textOf(tagsKey({ organizationId, id }))) as ResourceTags | undefined;
    return found?.tags ?? [];
  }

  /** All that has tags. */
  tagged({ id }: Organization): readonly ResourceTags[] {
    return this.#all<ResourceTags>('organization-tags').filter(({ organizationId }) => organizationId === id);
  }

  /** Grows with each change. */
  changes(): number {
    return this.#changes;
  }

  /**
   * What the organization of an account says of all of its calls: where it is, and the service control policies by level, from the root
   * down to the account. What a call does must be allowed at every level. No levels: nothing is restricted, as in the management account.
   */
  limitsOf(account: AccountId): Limits {
    const member = this.membership(account);
    const organization = member && this.organization(member.organizationId);
    if (member === undefined || organization === undefined) return { serviceControl: [] };
    const units: Unit[] = [];
    for (let at = member.parent; at !== organization.rootId; at = units[0]!.parent) units.unshift(this.unit(organization, at)!);
    const path = [organization.id, organization.rootId, ...units.map(({ id }) => id)];
    const levels = [organization.rootPolicies, ...units.map(({ policies }) => policies), member.policies];
    const isBound = organization.arePoliciesEnabled && organization.management !== account;
    const documentOf = (id: string) => ({ name: policyArn(organization, id), document: this.policy(organization, id)!.content });
    return {
      organizationId: organization.id,
      organizationPath: `${path.join('/')}/`,
      serviceControl: isBound ? levels.map((ids) => ids.map(documentOf)) : [],
    };
  }

  unit({ id }: Organization, unitId: string): Unit | undefined {
    return this.#documents.get('organization-unit')!.get(textOf(['organization-unit', id, unitId])) as Unit | undefined;
  }

  policy({ id }: Organization, policyId: string): ControlPolicy | undefined {
    if (policyId === FULL_ACCESS.id) return { ...FULL_ACCESS, organizationId: id };
    return this.#documents.get('organization-policy')!.get(textOf(['organization-policy', id, policyId])) as ControlPolicy | undefined;
  }

  /** Carries a plan out, made anew when its turn comes. @throws ApiError what the plan throws then. */
  change<Output>(call: Call, event: string, plan: () => Plan<Output>): Promise<void> {
    const done = this.#last.then(() => this.#change(call, event, plan()));
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #change(call: Call, event: string, { organization, changes }: Plan<unknown>): Promise<void> {
    if (changes.length === 0) return;
    const facts = changes.map(({ key, value: after }) => ({
      ...{ resource: resourceOf(organization, key), account: organization.management, region: GLOBAL_REGION },
      ...(key[0] === 'organization-tags' ? { part: 'tags' } : {}),
      ...{ before: this.#documents.get(key[0])!.get(textOf(key)), after },
    }));
    const appendFact = () => appendConfiguration(this.#deps, { call, event }, ...facts);
    const alongside = changes.map(({ key, value }) => ({ key, value, expected: 'any' as const }));
    const members = this.#membersAfter(organization, changes);
    if (members === undefined) {
      await appendFact();
      await this.#deps.catalog.commit(alongside);
    } else
      await this.#deps.changeMembers({
        organization,
        members,
        call,
        event,
        appendFact,
        alongside,
      });
    this.#changes++;
    for (const { key, value } of changes) {
      const documents = this.#documents.get(key[0])!;
      if (value === undefined) documents.delete(textOf(key));
      else documents.set(textOf(key), value);
    }
  }

  /** The accounts of the organization, when the changes make them others. */
  #membersAfter(organization: Organization, changes: readonly Change[]): readonly AccountId[] | undefined {
    const members = new Set(this.members(organization).map(({ account }) => account));
    let isOther = false;
    for (const { key, value } of changes) {
      if (key[0] !== 'membership') continue;
      const account = key[1] as AccountId;
      isOther ||= members.has(account) === (value === undefined);
      if (value === undefined) members.delete(account);
      else members.add(account);
    }
    return isOther ? [...members].sort() : undefined;
  }

  #all<Document extends object>(kind: string): readonly Document[] {
    return [...this.#documents.get(kind)!.values()] as readonly object[] as readonly Document[];
  }
}

/** What facts call a document. */
function resourceOf(organization: Organization, [kind, ...names]: CatalogKey): string {
  const name = names.at(-1)!;
  switch (kind) {
    case 'membership':
      return arnOf(organization, 'account', name);
    case 'organization-unit':
      return arnOf(organization, 'ou', name);
    case 'organization-policy':
      return policyArn(organization, name);
    case 'organization-handshake':
      return arnOf(organization, 'handshake', `invite/${name}`);
    case 'organization-request':
      return arnOf(organization, 'request', name);
    case 'organization-tags':
      if (name.startsWith('p-')) return policyArn(organization, name);
      return arnOf(organization, name.startsWith('ou-') ? 'ou' : name.startsWith('r-') ? 'root' : 'account', name);
    default:
      return arnOf(organization, 'organization');
  }
}

function textOf(key: CatalogKey): string {
  return key.join('\n');
}
