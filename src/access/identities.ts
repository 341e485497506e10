/**
 * Finds and changes the documents of identities.
 *
 * Every change of them goes through here, so that what is read may be answered from memory: a revoked permission holds for the next
 * call (A10). A name that is written in another case is not found, but keeps others from taking it.
 *
 * Relies on `Catalog`; this process is the only one that writes it.
 */
import { ApiError } from '../api/api-error.ts';
import type { Decision } from '../api/operation.ts';
import type { AccountId } from '../event/types.ts';
import { type Catalog, type CatalogChange, CatalogConflict, type CatalogDocument, type CatalogKey } from '../store/catalog.ts';
import { AWS_MANAGED_POLICIES } from './aws-managed-policies.ts';
import { configurationOf, type DocumentChange } from './identity-changes.ts';
import {
  type EntityDocuments,
  type EntityKind,
  entityArn,
  entityKey,
  KINDS,
  type PolicyDocument,
  parseIamArn,
  policyArn,
  policyKey,
} from './identity-documents.ts';

/** Most documents in memory: names in calls come from strangers and must not fill it. */
const CACHED_MAX = 10_000;

export class Identities {
  readonly #catalog: Catalog;
  /** What was read or written last, `undefined` for what is not there. */
  readonly #cache = new Map<string, CatalogDocument<unknown> | undefined>();
  /** Counts changes: what was read before one and arrives after it is not kept. */
  #changes = 0;

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** Grows with each change: what was read while it was the same holds still. */
  changes(): number {
    return this.#changes;
  }

  /** The entity of exactly this name. */
  async find<Kind extends EntityKind>(
    kind: Kind,
    account: AccountId,
    name: string,
  ): Promise<CatalogDocument<EntityDocuments[Kind]> | undefined> {
    const found = await this.get<EntityDocuments[Kind]>(entityKey(kind, account, name));
    return found?.value.name === name ? found : undefined;
  }

  /** The entity of exactly this ARN, in whatever account. */
  async findByArn<Kind extends 'User' | 'Role'>(kind: Kind, arn: string): Promise<EntityDocuments[Kind] | undefined> {
    const named = parseIamArn(arn, KINDS[kind].arnType);
    if (named === undefined || named.account === 'aws') return undefined;
    const found = (await this.find(kind, named.account, named.name))?.value;
    return found !== undefined && entityArn(found) === arn ? found : undefined;
  }

  /** @throws ApiError NoSuchEntity */
  async need<Kind extends EntityKind>(kind: Kind, account: AccountId, name: string): Promise<CatalogDocument<EntityDocuments[Kind]>> {
    const found = await this.find(kind, account, name);
    if (found !== undefined) return found;
    throw noSuchEntity(`The ${KINDS[kind].noun} with name ${name} cannot be found.`);
  }

  /** True when the name is taken, in whatever case. */
  async isTaken(key: CatalogKey): Promise<boolean> {
    return (await this.get(key)) !== undefined;
  }

  /** All of one kind, by name. */
  async list<Kind extends EntityKind>(kind: Kind, account: AccountId): Promise<readonly EntityDocuments[Kind][]> {
    return (await this.#catalog.list<EntityDocuments[Kind]>([KINDS[kind].table, account])).map(({ value }) => value);
  }

  /** A managed policy that the account can use; what belongs to others is not there. */
  async findPolicy(account: AccountId, arn: string): Promise<CatalogDocument<PolicyDocument> | undefined> {
    const parsed = parseIamArn(arn, 'policy');
    if (parsed === undefined) return undefined;
    if (parsed.account === 'aws') {
      const value = AWS_MANAGED_POLICIES.get(arn);
      return value && { key: ['iam-policy', 'aws', value.name], value, version: 1 };
    }
    if (parsed.account !== account) return undefined;
    const found = await this.get<PolicyDocument>(policyKey(account, parsed.name));
    return found !== undefined && policyArn(found.value) === arn ? found : undefined;
  }

  /** The managed policies of an account, without AWS's. */
  async listPolicies(account: AccountId): Promise<readonly PolicyDocument[]> {
    return (await this.#catalog.list<PolicyDocument>(['iam-policy', account])).map(({ value }) => value);
  }

  /** Any document, from memory where it was read before. */
  async get<T>(key: CatalogKey): Promise<CatalogDocument<T> | undefined> {
    const name = key.join('\0');
    if (this.#cache.has(name)) return this.#cache.get(name) as CatalogDocument<T> | undefined;
    const before = this.#changes;
    const found = await this.#catalog.get<T>(key);
    if (before === this.#changes) {
      if (this.#cache.size >= CACHED_MAX) this.#cache.clear();
      this.#cache.set(name, found);
    }
    return found;
  }

  async listDocuments<T>(prefix: CatalogKey): Promise<readonly CatalogDocument<T>[]> {
    return this.#catalog.list<T>(prefix);
  }

  /**
   * How a decision carries the changes out, and tells what they are. There is no other way to change a document.
   * @param done Called when they are durable.
   */
  save(changes: readonly DocumentChange[], done?: () => void): Required<Pick<Decision<object>, 'apply' | 'changes'>> {
    return {
      changes: configurationOf(changes),
      apply: async () => {
        await this.#commit(changes);
        done?.();
      },
    };
  }

  /** @throws ApiError ConcurrentModification when another call changed one of the documents since they were read. */
  async #commit(changes: readonly CatalogChange[]): Promise<void> {
    try {
      await this.#catalog.commit(changes);
    } catch (cause) {
      if (!(cause instanceof CatalogConflict)) throw cause;
      const message = 'Another request changed this entity at the same time. Try again.';
      throw new ApiError('ConcurrentModification', message, { status: 409, cause });
    } finally {
      // Also after a failure, of which nobody knows whether it had taken effect.
      this.#changes += 1;
      for (const { key } of changes) this.#cache.delete(key.join('\0'));
    }
  }
}

export function noSuchEntity(message: string): ApiError {
  return new ApiError('NoSuchEntity', message, { status: 404 });
}
