/**
 * What a KMS key is: its document in the catalog, its ARN, and how clients see it.
 *
 * All materials lie in the document, wrapped under the store's master key; nothing else of the document is secret.
 * Source: KMS API Reference, "KeyMetadata", "AliasListEntry"; KMS Developer Guide, "Key states of KMS keys".
 */
import type { ConfigurationChange } from '../api/configuration-change.ts';
import type { AccountId, EpochMs, EventResource, Region } from '../event/types.ts';
import type { CatalogKey } from '../store/catalog.ts';

export type KeySpec = 'SYMMETRIC_DEFAULT' | 'RSA_2048' | 'RSA_3072' | 'RSA_4096' | 'ECC_NIST_P256' | 'ECC_NIST_P384';

/** A key by what never changes of it. */
export interface KmsKeyId {
  readonly account: AccountId;
  readonly region: Region;
  /** A UUID. */
  readonly id: string;
}

/** A key as it is kept, at `kmsKeyKey`. */
export interface KmsKey extends KmsKeyId {
  readonly createdAtMs: EpochMs;
  readonly description: string;
  readonly spec: KeySpec;
  readonly state: 'Enabled' | 'Disabled' | 'PendingDeletion';
  /** Only while deletion is pending. From then on the key is as if it were not there. */
  readonly deletionAtMs?: EpochMs;
  readonly pendingWindowInDays?: number;
  /** JSON, as it was put. */
  readonly policy: string;
  readonly tags: readonly KeyTag[];
  /** All that it ever had, oldest first: what the others encrypted stays readable. The last one is in use. Never empty. */
  readonly materials: readonly KeyMaterial[];
  /** Absent: the key gets new material only when somebody asks for it. */
  readonly rotation?: KeyRotation;
}

/** What a key encrypts or signs with. */
export interface KeyMaterial {
  /** 32 bytes, hex. */
  readonly id: string;
  /** Wrapped, base64: 32 bytes of a symmetric key, PKCS#8 DER of any other. */
  readonly wrapped: string;
  /** How the key came by it; absent for the first one. */
  readonly rotated?: { readonly atMs: EpochMs; readonly type: RotationType };
}

export type RotationType = 'AUTOMATIC' | 'ON_DEMAND';

/** That a key gets new material from time to time. */
export interface KeyRotation {
  readonly periodDays: number;
  readonly nextAtMs: EpochMs;
}

export interface KeyTag {
  readonly key: string;
  readonly value: string;
}

/** A name that leads to a key, at `aliasKey`. */
export interface KmsAlias {
  readonly account: AccountId;
  readonly region: Region;
  /** With `alias/` before it. */
  readonly name: string;
  /** `id` of a key of the same account and Region. */
  readonly keyId: string;
  readonly createdAtMs: EpochMs;
  readonly updatedAtMs: EpochMs;
}

/** Keys and aliases of one account and Region; with a fourth part, one of them. */
export const kmsKeysKey = ({ account, region }: Pick<KmsKeyId, 'account' | 'region'>): CatalogKey => ['kms-key', account, region];
export const kmsKeyKey = (key: KmsKeyId): CatalogKey => [...kmsKeysKey(key), key.id];
export const aliasesKey = ({ account, region }: Pick<KmsKeyId, 'account' | 'region'>): CatalogKey => ['kms-alias', account, region];
export const aliasKey = (alias: Pick<KmsAlias, 'account' | 'region' | 'name'>): CatalogKey => [...aliasesKey(alias), alias.name];

export function kmsKeyArn({ account, region, id }: KmsKeyId): string {
  return `arn:aws:kms:${region}:${account}:key/${id}`;
}

/** What the fact of a change of a key says: its material is no setting. */
export function keyChange(before: KmsKey | undefined, after: KmsKey | undefined): ConfigurationChange {
  const key = (after ?? before)!;
  const settings = (of: KmsKey | undefined) => of && withoutMaterial(of);
  return { resource: kmsKeyArn(key), account: key.account, region: key.region, before: settings(before), after: settings(after) };
}

function withoutMaterial({ materials, ...settings }: KmsKey): object {
  return { ...settings, materials: materials.map(({ wrapped: _, ...shown }) => shown) };
}

export function aliasChange(before: KmsAlias | undefined, after: KmsAlias | undefined): ConfigurationChange {
  const alias = (after ?? before)!;
  return { resource: aliasArn(alias), account: alias.account, region: alias.region, before, after };
}

export function aliasArn({ account, region, name }: Pick<KmsAlias, 'account' | 'region' | 'name'>): string {
  return `arn:aws:kms:${region}:${account}:${name}`;
}

/** What a key wraps a material under: it opens as this very one of this very key alone. */
export function materialContext({ account, region, id }: KmsKeyId, materialId: string): string {
  return `kms-key/${account}/${region}/${id}/${materialId}`;
}

/** The material in use. */
export function currentMaterial({ materials }: Pick<KmsKey, 'materials'>): KeyMaterial {
  return materials.at(-1)!;
}

export function isSymmetric({ spec }: Pick<KmsKey, 'spec'>): boolean {
  return spec === 'SYMMETRIC_DEFAULT';
}

export function keyUsage(key: Pick<KmsKey, 'spec'>): 'ENCRYPT_DECRYPT' | 'SIGN_VERIFY' {
  return isSymmetric(key) ? 'ENCRYPT_DECRYPT' : 'SIGN_VERIFY';
}

const RSA_ALGORITHMS = ['RSASSA_PKCS1_V1_5', 'RSASSA_PSS'].flatMap((scheme) => [256, 384, 512].map((bits) => `${scheme}_SHA_${bits}`));

/** The algorithms that a key signs with; empty for a symmetric one. */
export function signingAlgorithms({ spec }: Pick<KmsKey, 'spec'>): readonly string[] {
  switch (spec) {
    case 'SYMMETRIC_DEFAULT':
      return [];
    case 'ECC_NIST_P256':
      return ['ECDSA_SHA_256'];
    case 'ECC_NIST_P384':
      return ['ECDSA_SHA_384'];
    default:
      return RSA_ALGORITHMS;
  }
}

/** `KeyMetadata` of the wire. */
export function keyMetadata(key: KmsKey) {
  return {
    AWSAccountId: key.account,
    KeyId: key.id,
    Arn: kmsKeyArn(key),
    CreationDate: new Date(key.createdAtMs),
    Enabled: key.state === 'Enabled',
    Description: key.description,
    KeyUsage: keyUsage(key),
    KeyState: key.state,
    ...(key.deletionAtMs === undefined ? {} : { DeletionDate: new Date(key.deletionAtMs) }),
    Origin: 'AWS_KMS',
    KeyManager: 'CUSTOMER',
    CustomerMasterKeySpec: key.spec,
    KeySpec: key.spec,
    ...(isSymmetric(key) ? { EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'] } : { SigningAlgorithms: signingAlgorithms(key) }),
    MultiRegion: false,
    ...(isSymmetric(key) ? { CurrentKeyMaterialId: currentMaterial(key).id } : {}),
  };
}

/** The key as the event of a call names it. */
export function keyResource(key: KmsKeyId): EventResource & { readonly account: AccountId } {
  return { type: 'AWS::KMS::Key', name: kmsKeyArn(key), account: key.account };
}
