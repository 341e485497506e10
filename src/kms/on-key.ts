/**
 * What operations on one key share: the name is read, the key found, the caller's right asked for, the key's state checked.
 *
 * Source: KMS Developer Guide, "Key states of KMS keys": which state allows which operation.
 */
import { ApiError } from '../api/api-error.ts';
import { type Call, type Decision, type Operation, REPEATS_MS } from '../api/operation.ts';
import type { JsonObject } from '../event/types.ts';
import { appendConfiguration } from '../store/append-configuration.ts';
import { CatalogConflict, type CatalogDocument } from '../store/catalog.ts';
import type { EncryptionContext } from './ciphertext.ts';
import { findKey, type KeyName, keyNotFound, readKeyName } from './find-key.ts';
import { keyRequest } from './key-access.ts';
import type { KmsDeps } from './kms-deps.ts';
import { isSymmetric, type KmsKey, keyChange, keyResource, keyUsage, kmsKeyArn, kmsKeyKey } from './kms-key.ts';
import { recordMembers } from './record-input.ts';

/** Members that inputs share. */
export interface KeyInput {
  readonly KeyId?: string;
  readonly GrantTokens?: readonly string[];
  readonly DryRun?: boolean;
  readonly EncryptionContext?: EncryptionContext;
}

/** What is asked of a key beside being there. */
export interface KeyDemands {
  /** States in which the operation works; all when absent. */
  readonly states?: readonly KmsKey['state'][];
  readonly usage?: 'ENCRYPT_DECRYPT' | 'SIGN_VERIFY';
}

interface OnKey<Input, Output> extends KeyDemands {
  readonly name: string;
  readonly isReadOnly: boolean;
  /** An alias will do, and a key of another account whose policy says so. */
  readonly isUse?: boolean;
  /** The answer holds a secret. */
  readonly isSecret?: boolean;
  /** Condition keys that the input brings beside its encryption context. */
  readonly contextOf?: (input: Input) => ReadonlyMap<string, readonly string[]>;
  readonly decide: (call: Call, key: CatalogDocument<KmsKey>, input: Input) => Promise<Decision<Output>>;
}

/** States in which a key can be used, and in which it can be changed. */
export const ENABLED = ['Enabled'] as const;
export const NOT_PENDING = ['Enabled', 'Disabled'] as const;

/** An operation on the key that `KeyId` names. */
export function onKey<Input extends KeyInput, Output>(deps: KmsDeps, operation: OnKey<Input, Output>): Operation<Input, Output> {
  const { name, isReadOnly, isUse = false, isSecret = false } = operation;
  const nameOf = (call: Call, input: Input) => requireKeyName(call, input.KeyId ?? '', isUse);
  return {
    name,
    isReadOnly,
    ...(isReadOnly && !isSecret ? {} : { refusesReplay: { afterMs: REPEATS_MS } }),
    access: (call, input) => {
      const { EncryptionContext: encryptionContext } = input;
      const use = { action: `kms:${name}`, ...(encryptionContext === undefined ? {} : { encryptionContext }) };
      const request = keyRequest(nameOf(call, input), use);
      return [{ ...request, context: new Map([...request.context!, ...(operation.contextOf?.(input) ?? [])]) }];
    },
    decide: async (call, input) => {
      const key = await requireKey(deps, nameOf(call, input), operation);
      refuseGrants(input);
      const decision = await operation.decide(call, key, input);
      if (input.DryRun === true) throw dryRun();
      const resources = decision.resources ?? [keyResource(key.value)];
      return { ...recordOf(input, isReadOnly, decision), resources, copyTo: [key.value.account] };
    },
  };
}

/**
 * The name, taken apart. Changes of a key are for its own account, and name the key itself.
 * @throws ApiError InvalidArnException, NotFoundException
 */
export function requireKeyName(call: Call, text: string, isUse: boolean): KeyName {
  const name = readKeyName(text, call);
  if (!isUse && name.kind === 'alias') throw new ApiError('NotFoundException', `Invalid keyId '${name.name}'`);
  return name;
}

/** @throws ApiError NotFoundException, DisabledException, KMSInvalidStateException, InvalidKeyUsageException */
export async function requireKey(deps: KmsDeps, name: KeyName, demands: KeyDemands = {}): Promise<CatalogDocument<KmsKey>> {
  const found = await findKey(deps, name);
  if (found === undefined) throw keyNotFound(name);
  const key = found.value;
  if (demands.states !== undefined && !demands.states.includes(key.state)) throw wrongState(key, demands.states);
  if (demands.usage !== undefined && demands.usage !== keyUsage(key))
    throw new ApiError(
      'InvalidKeyUsageException',
      `${kmsKeyArn(key)} key usage is ${keyUsage(key)} which is not valid for this operation.`,
    );
  return found;
}

function wrongState(key: KmsKey, wanted: readonly KmsKey['state'][]): ApiError {
  const arn = kmsKeyArn(key);
  if (key.state === 'PendingDeletion') return new ApiError('KMSInvalidStateException', `${arn} is pending deletion.`);
  if (wanted.includes('PendingDeletion')) return new ApiError('KMSInvalidStateException', `${arn} is not pending deletion.`);
  return new ApiError('DisabledException', `${arn} is disabled.`);
}

/** There are no grants, so no token is one. @throws ApiError InvalidGrantTokenException */
export function refuseGrants({ GrantTokens = [] }: Pick<KeyInput, 'GrantTokens'>): void {
  if (GrantTokens.length > 0)
    throw new ApiError('InvalidGrantTokenException', 'The grant token is not valid: this installation has no grants.');
}

export function dryRun(): ApiError {
  return new ApiError('DryRunOperationException', 'The request would have succeeded, but the DryRun option is set.', { status: 412 });
}

/** The decision with what the event of the call shows. */
export function recordOf<Output>(input: object, isReadOnly: boolean, decision: Decision<Output>): Decision<Output> {
  const { output } = decision;
  const shown: JsonObject | null = isReadOnly ? null : recordMembers((output ?? {}) as object);
  return { ...decision, requestParameters: recordMembers(input), responseElements: shown };
}

/**
 * Changes one key, after the journal says so.
 * @param event Name of the call.
 * @throws ApiError ConflictException when another change came first.
 */
export async function changeKey(deps: KmsDeps, call: Call, event: string, before: CatalogDocument<KmsKey>, after: KmsKey): Promise<void> {
  await appendConfiguration(deps, { call, event }, keyChange(before.value, after));
  try {
    await deps.catalog.commit([{ key: kmsKeyKey(after), value: after, expected: before.version }]);
  } catch (error) {
    if (!(error instanceof CatalogConflict)) throw error;
    throw new ApiError('ConflictException', `${kmsKeyArn(after)} is being changed by another call; try again.`, { cause: error });
  }
}

/** @throws ApiError UnsupportedOperationException */
export function requireSymmetric(key: KmsKey, operation: string): void {
  if (!isSymmetric(key))
    throw new ApiError('UnsupportedOperationException', `${kmsKeyArn(key)} is asymmetric, which ${operation} does not take.`);
}
