/**
 * What the operations of IAM work on, and what several of them say and ask.
 */
import type { AccessRequest } from '../../api/access.ts';
import { ApiError } from '../../api/api-error.ts';
import type { Call, Operation } from '../../api/operation.ts';
import type { EpochMs } from '../../event/types.ts';
import type { Chance, Clock } from '../../store/clock.ts';
import type { Keys } from '../../store/keys.ts';
import type { PageTokens } from '../../store/page-tokens.ts';
import type { Accounts } from '../accounts.ts';
import { randomBase32 } from '../base32.ts';
import type { Identities } from '../identities.ts';
import { type EntityKind, entityArn, type Tag } from '../identity-documents.ts';
import type { KeyUses } from '../key-uses.ts';

export interface IamDeps {
  readonly identities: Identities;
  readonly accounts: Accounts;
  readonly keyUses: KeyUses;
  readonly keys: Pick<Keys, 'wrap' | 'unwrap'>;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly tokens: PageTokens;
  /** The real time, which devices of users go by; `clock` may be set by hand. */
  readonly realTimeMs: () => EpochMs;
}

/** An operation of IAM, whose inputs were checked against the model. */
export type IamOperation<Input> = Operation<Input, object>;

/** IAM knows no second run of a signed request that creates: a repeated one is refused by the name that is taken. */
export function limitExceeded(quota: string, max: number): ApiError {
  return new ApiError('LimitExceeded', `Cannot exceed quota for ${quota}: ${max}`, { status: 409 });
}

export function alreadyExists(message: string): ApiError {
  return new ApiError('EntityAlreadyExists', message, { status: 409 });
}

export function deleteConflict(message: string): ApiError {
  return new ApiError('DeleteConflict', message, { status: 409 });
}

export function invalidInput(message: string): ApiError {
  return new ApiError('InvalidInput', message, { status: 400 });
}

export function validationError(message: string): ApiError {
  return new ApiError('ValidationError', message, { status: 400 });
}

/** A new id of this kind, such as `AIDA` and 17 letters and digits. */
export function newId(chance: Chance, prefix: string): string {
  return prefix + randomBase32(chance, 17);
}

/** What the caller must be allowed on an entity; one that is not there is asked for by the ARN that it would have. */
export async function entityAccess(
  { identities }: Pick<IamDeps, 'identities'>,
  call: Call,
  {
    action,
    kind,
    name,
    context,
  }: { readonly action: string; readonly kind: EntityKind; readonly name: string; readonly context?: AccessRequest['context'] },
): Promise<readonly AccessRequest[]> {
  const path = (await identities.find(kind, call.account, name))?.value.path ?? '/';
  const resource = entityArn({ kind, account: call.account, path, name });
  return [{ action: `iam:${action}`, resource, ...(context === undefined ? {} : { context }) }];
}

/** Condition key of a call that sets a boundary, or changes the rights of an entity that has one. */
export function boundaryContext(boundary: string | undefined): [string, readonly string[]][] {
  return boundary === undefined ? [] : [['iam:permissionsboundary', [boundary]]];
}

const TAGS_MAX = 50;

/** @throws ApiError InvalidInput, LimitExceeded */
export function checkTags(tags: readonly Tag[]): readonly Tag[] {
  const keys = tags.map(({ Key }) => Key.toLowerCase());
  if (new Set(keys).size !== keys.length) throw invalidInput('Duplicate tag keys found. Please note that Tag keys are case insensitive.');
  if (keys.some((key) => key.startsWith('aws:')))
    throw invalidInput('Tag keys must not begin with `aws:`, which is for the service itself.');
  if (tags.length > TAGS_MAX) throw limitExceeded('TagsPerResource', TAGS_MAX);
  return tags;
}

/** The user that an operation is about when it names none: the one whose key signs. */
export function ownUserName(call: Call): string {
  if (call.principal.type === 'IAMUser' && call.principal.userName !== undefined) return call.principal.userName;
  throw validationError('Must specify userName when calling with non-User credentials');
}
