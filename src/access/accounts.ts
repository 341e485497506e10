/**
 * Accounts and their access keys, as documents of the catalog.
 *
 * The first account administers the installation; its root key is made at the first start (DESIGN §6). Secrets are
 * wrapped by the key store before they reach the catalog, bound to their key id, and unwrapped only to check a signature.
 *
 * A key is its account's root, or belongs to one of its users, whom `Identities` keeps: the two meet in commits that hold both.
 * Relies on `Catalog` and `Keys`.
 */
import { ApiError } from '../api/api-error.ts';
import type { Credentials } from '../api/credentials.ts';
import type { Decision, Principal } from '../api/operation.ts';
import type { AccountId, EpochMs } from '../event/types.ts';
import type { Catalog, CatalogDocument } from '../store/catalog.ts';
import { CatalogConflict } from '../store/catalog.ts';
import type { Chance, Clock } from '../store/clock.ts';
import { KeyedLock } from '../store/keyed-lock.ts';
import type { Keys } from '../store/keys.ts';
import { base32 } from './base32.ts';
import { added, changed, configurationOf, type DocumentChange, removed, unchanged } from './identity-changes.ts';
import { entityArn } from './identity-documents.ts';

/** A new access key, shown once. */
export interface NewAccessKey {
  readonly account: AccountId;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** What anyone may see of an access key. */
export interface AccessKeyInfo {
  readonly account: AccountId;
  readonly accessKeyId: string;
  readonly status: 'Active' | 'Inactive';
  readonly createdAtMs: EpochMs;
}

export interface AccountInfo {
  readonly account: AccountId;
  readonly name: string;
  readonly createdAtMs: EpochMs;
}

/** The one document of the installation, made at the first start. */
export interface Installation {
  /** A UUID; part of the evidence log's origin, so that two installations never sign for each other. */
  readonly id: string;
  readonly administrator: AccountId;
  readonly createdAtMs: EpochMs;
}

/** A key that can be made, and what the fact of it says. */
interface Prepared<Saved> extends Required<Pick<Decision<object>, 'changes'>> {
  readonly newKey: NewAccessKey;
  save(): Promise<Saved>;
}

/** Keeps the first key of an account where only the operator can read it. Called before the account can be used. */
export type KeepKey = (key: NewAccessKey) => Promise<void>;

/** The user that a key belongs to, as its calls name it. A renamed user's keys are written anew. */
export interface KeyUser {
  readonly name: string;
  readonly id: string;
  readonly path: string;
}

interface StoredAccessKey extends AccessKeyInfo {
  /** Absent: the key is its account's root. */
  readonly user?: KeyUser;
  /** The wrapped secret, base64. */
  readonly wrappedSecret: string;
}

/** How long a key may be answered from memory: a deactivated key is refused at the latest after this (A10). */
const CACHE_MS = 5_000;
/** Most keys of one account, so that a stranger with one key cannot fill the catalog. */
const KEYS_PER_ACCOUNT_MAX = 100;
/** Most entries of the cache: unknown key ids come from strangers and must not fill memory. */
const CACHE_ENTRIES_MAX = 10_000;

export class Accounts {
  readonly #catalog: Catalog;
  readonly #keys: Keys;
  readonly #clock: Clock;
  readonly #chance: Chance;
  readonly #keepKey: KeepKey;
  /** Accounts that exist. Filled by `open`, added to by `prepareAccount`; an account never goes away. */
  readonly #known = new Map<AccountId, AccountInfo>();
  /** Accounts are made one at a time for each number: the key that is kept must be the one that counts. */
  readonly #creating = new KeyedLock();
  readonly #cache = new Map<string, { readonly credentials: Credentials | undefined; readonly untilMs: number }>();
  #installation: Installation | undefined;

  constructor(stores: { catalog: Catalog; keys: Keys; clock: Clock; chance: Chance; keepKey: KeepKey }) {
    this.#keepKey = stores.keepKey;
    this.#catalog = stores.catalog;
    this.#keys = stores.keys;
    this.#clock = stores.clock;
    this.#chance = stores.chance;
  }

  /**
   * Reads what is there; at the very first start makes the installation, its account and its root key.
   *
   * @returns the root key when it was made just now: the caller shows it once and keeps it safe.
   */
  async open(installationId: string, firstAccount: AccountId): Promise<{ installation: Installation; newKey?: NewAccessKey }> {
    const found = await this.#catalog.get<Installation>(['installation']);
    if (found) {
      this.#installation = found.value;
      for (const document of await this.#catalog.list<AccountInfo>(['account'])) this.#known.set(document.value.account, document.value);
      return { installation: found.value };
    }
    const createdAtMs = this.#clock.nowMs();
    const installation: Installation = { id: installationId, administrator: firstAccount, createdAtMs };
    const account: AccountInfo = { account: firstAccount, name: 'administrator', createdAtMs };
    const { newKey, stored } = await this.#makeKey(firstAccount);
    // First kept, then valid: a crash between leaves a file that the next start writes anew, never an account without a key.
    await this.#keepKey(newKey);
    await this.#catalog.commit([
      { key: ['installation'], value: installation, expected: 0 },
      { key: ['account', firstAccount], value: account, expected: 0 },
      { key: ['access-key', newKey.accessKeyId], value: stored, expected: 0 },
    ]);
    this.#installation = installation;
    this.#known.set(firstAccount, account);
    return { installation, newKey };
  }

  /** True for an account of this installation. */
  exists(account: AccountId): boolean {
    return this.#known.has(account);
  }

  /** All accounts, by number. */
  list(): readonly AccountInfo[] {
    return [...this.#known.values()].sort((a, b) => (a.account < b.account ? -1 : 1));
  }

  /**
   * Prepares an account with its first key; `save` makes both usable, and returns `undefined` when the account was made
   * meanwhile: then the prepared key is none. Safe to call from several requests at once: one of them makes it.
   */
  async prepareAccount(account: AccountId, name: string): Promise<Prepared<NewAccessKey | undefined>> {
    const { newKey, stored } = await this.#makeKey(account);
    const info: AccountInfo = { account, name, createdAtMs: this.#clock.nowMs() };
    const changes = [added(['account', account], info), added(['access-key', newKey.accessKeyId], stored)];
    return {
      newKey,
      changes: configurationOf(changes),
      save: () => this.#creating.run(account, () => this.#create(info, newKey, changes)),
    };
  }

  async #create(info: AccountInfo, newKey: NewAccessKey, changes: readonly DocumentChange[]): Promise<NewAccessKey | undefined> {
    const { account } = info;
    const other = await this.#catalog.get<AccountInfo>(['account', account]);
    if (other) {
      this.#known.set(account, other.value);
      return undefined;
    }
    // First kept, then valid, as in `open`.
    await this.#keepKey(newKey);
    await this.#catalog.commit(changes);
    this.#known.set(account, info);
    return newKey;
  }

  /** Prepares a further key for an account; `save` makes it usable. */
  async prepareKey(account: AccountId): Promise<Prepared<void>> {
    if ((await this.listKeys(account)).length >= KEYS_PER_ACCOUNT_MAX) {
      throw new ApiError('LimitExceededException', `account ${account} has ${KEYS_PER_ACCOUNT_MAX} access keys already; delete one first`);
    }
    const { newKey, stored } = await this.#makeKey(account);
    const changes = [added(['access-key', newKey.accessKeyId], stored)];
    return { newKey, changes: configurationOf(changes), save: () => this.#catalog.commit(changes) };
  }

  /** Prepares a key of a user; whoever keeps the user commits `change` with its own. */
  async prepareUserKey(account: AccountId, user: KeyUser): Promise<{ readonly newKey: NewAccessKey; readonly change: DocumentChange }> {
    const { newKey, stored } = await this.#makeKey(account, user);
    return { newKey, change: added(['access-key', newKey.accessKeyId], stored) };
  }

  /** A key of one of the account's users; `undefined` when there is none, also for the keys of others. */
  async findUserKey(account: AccountId, accessKeyId: string): Promise<(AccessKeyInfo & { readonly user: KeyUser }) | undefined> {
    const found = await this.#findStored(accessKeyId);
    if (found?.value.account !== account || found.value.user === undefined) return undefined;
    const { wrappedSecret: _, user, ...info } = found.value;
    return { ...info, user };
  }

  /** The changes that set a user's keys to another status, to another user's name, or delete them (`undefined`). */
  async changeUserKeys(
    accessKeyIds: readonly string[],
    members: { readonly status?: 'Active' | 'Inactive'; readonly user?: KeyUser } | undefined,
  ): Promise<readonly DocumentChange[]> {
    const found = await Promise.all(accessKeyIds.map((id) => this.#findStored(id)));
    return found.flatMap((document) =>
      document === undefined ? [] : [members === undefined ? removed(document) : changed(document, members)],
    );
  }

  /** Reads these keys anew from now on. Called after a change of theirs was committed. */
  forgetKeys(accessKeyIds: readonly string[]): void {
    for (const id of accessKeyIds) this.#cache.delete(id);
  }

  /** Root keys of one account, without secrets, oldest first. */
  async listKeys(account: AccountId): Promise<readonly AccessKeyInfo[]> {
    const documents = await this.#catalog.list<StoredAccessKey>(['access-key']);
    return documents
      .filter(({ value }) => value.account === account && value.user === undefined)
      .map(({ value: { wrappedSecret: _, ...info } }) => info)
      .sort((a, b) => a.createdAtMs - b.createdAtMs);
  }

  /**
   * Changes a key's status, or deletes it (`undefined`).
   *
   * An account keeps one active key at least: without any, it could never make itself another one.
   * @throws ApiError `NoSuchEntityException` when the account has no such key: a foreign key looks like none;
   * `ValidationException` when it is the account's last active one. `ConflictException` comes from `apply`.
   */
  async changeKey(
    account: AccountId,
    accessKeyId: string,
    status: 'Active' | 'Inactive' | undefined,
  ): Promise<Required<Pick<Decision<object>, 'apply' | 'changes'>>> {
    const found = await this.#catalog.get<StoredAccessKey>(['access-key', accessKeyId]);
    if (found?.value.account !== account || found.value.user !== undefined) {
      throw new ApiError('NoSuchEntityException', `account ${account} has no access key \`${accessKeyId}\``, { status: 404 });
    }
    const staying = status !== 'Active' && found.value.status === 'Active' ? await this.#otherActiveKey(account, accessKeyId) : undefined;
    const change = status === undefined ? removed(found) : changed(found, { status });
    // The key that stays is written as it is, so that of two keys that switch each other off at once only one succeeds.
    const changes = [change, ...(staying === undefined ? [] : [unchanged(staying)])];
    const apply = async () => {
      try {
        await this.#catalog.commit(changes);
      } catch (cause) {
        if (!(cause instanceof CatalogConflict)) throw cause;
        throw new ApiError('ConflictException', `access key \`${accessKeyId}\` was changed by another call meanwhile; try again`, {
          status: 409,
          cause,
        });
      }
      this.#cache.delete(accessKeyId);
    };
    return { changes: configurationOf(changes), apply };
  }

  async #otherActiveKey(account: AccountId, accessKeyId: string): Promise<CatalogDocument<StoredAccessKey>> {
    const documents = await this.#catalog.list<StoredAccessKey>(['access-key']);
    const other = documents.find(
      ({ value }) =>
        value.account === account && value.user === undefined && value.status === 'Active' && value.accessKeyId !== accessKeyId,
    );
    if (other !== undefined) return other;
    throw new ApiError(
      'ValidationException',
      `\`${accessKeyId}\` is the last active key of account ${account}, which could not be used without it; make or activate another key first`,
    );
  }

  /** Finds a key for the signature check. */
  readonly findCredentials = async (accessKeyId: string): Promise<Credentials | undefined> => {
    const nowMs = this.#clock.monotonicMs();
    const cached = this.#cache.get(accessKeyId);
    if (cached && cached.untilMs > nowMs) return cached.credentials;
    const credentials = await this.#readCredentials(accessKeyId);
    if (this.#cache.size >= CACHE_ENTRIES_MAX) this.#cache.clear();
    this.#cache.set(accessKeyId, { credentials, untilMs: nowMs + CACHE_MS });
    return credentials;
  };

  /** The first account's root without a key, for a server that asks nobody who they are; records name the key `no-auth`. */
  trustedRoot(): Principal {
    return this.rootOf(this.#installation!.administrator, 'no-auth');
  }

  async #readCredentials(accessKeyId: string): Promise<Credentials | undefined> {
    const found = await this.#findStored(accessKeyId);
    if (!found) return undefined;
    const secret = await this.#keys.unwrap(Buffer.from(found.value.wrappedSecret, 'base64'), wrapContext(accessKeyId));
    return {
      accessKeyId,
      secretAccessKey: Buffer.from(secret).toString('utf8'),
      status: found.value.status,
      principal:
        found.value.user === undefined
          ? this.rootOf(found.value.account, accessKeyId)
          : this.userOf(found.value.account, found.value.user, accessKeyId),
    };
  }

  async #findStored(accessKeyId: string): Promise<CatalogDocument<StoredAccessKey> | undefined> {
    // The id comes from a stranger: only what can be a key id becomes part of a catalog key.
    return /^[A-Z0-9]{16,128}$/.test(accessKeyId) ? this.#catalog.get<StoredAccessKey>(['access-key', accessKeyId]) : undefined;
  }

  /** The user as the caller of its own calls. */
  userOf(account: AccountId, { name, id, path }: KeyUser, accessKeyId: string): Principal {
    return {
      type: 'IAMUser',
      account,
      arn: entityArn({ kind: 'User', account, path, name }),
      principalId: id,
      accessKeyId,
      userName: name,
      isAdministrator: this.isAdministrator(account),
    };
  }

  /** True for the account that administers the installation. */
  isAdministrator(account: AccountId): boolean {
    return account === this.#installation?.administrator;
  }

  /** The root of the account as the caller of its own calls. */
  rootOf(account: AccountId, accessKeyId: string): Principal {
    return {
      type: 'Root',
      account,
      arn: `arn:aws:iam::${account}:root`,
      principalId: account,
      accessKeyId,
      isAdministrator: this.isAdministrator(account),
    };
  }

  async #makeKey(account: AccountId, user?: KeyUser): Promise<{ newKey: NewAccessKey; stored: StoredAccessKey }> {
    const accessKeyId = `AKIA${base32(this.#chance.bytes(10))}`;
    const secretAccessKey = Buffer.from(this.#chance.bytes(30)).toString('base64');
    const wrapped = await this.#keys.wrap(Buffer.from(secretAccessKey, 'utf8'), wrapContext(accessKeyId));
    const newKey = { account, accessKeyId, secretAccessKey };
    const stored: StoredAccessKey = {
      account,
      ...(user === undefined ? {} : { user }),
      accessKeyId,
      status: 'Active',
      createdAtMs: this.#clock.nowMs(),
      wrappedSecret: Buffer.from(wrapped).toString('base64'),
    };
    return { newKey, stored };
  }
}

function wrapContext(accessKeyId: string): string {
  return `access-key/${accessKeyId}`;
}
