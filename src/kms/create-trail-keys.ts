/**
 * Keys that trails encrypt their files with, under the key's policy for `cloudtrail.amazonaws.com`.
 *
 * Checked before a trail is accepted by the very use that a delivery makes of it, and again at each delivery.
 */
import { ApiError } from '../api/api-error.ts';
import type { AccountId, Region } from '../event/types.ts';
import { evaluatePolicy, type PolicyVerdict, statementName } from '../policy/evaluate-policy.ts';
import { parsePolicy } from '../policy/parse-policy.ts';
import { withStatement } from '../policy/with-statement.ts';
import { ForeignKeysError } from '../store/foreign-keys.ts';
import { type DataKey, ObjectsError } from '../store/objects.ts';
import type { TrailKeys, TrailKeyUse, TrailKeyVerdict } from '../store/trail-keys.ts';
import { makeDataKey, makeOwn } from './create-object-keys.ts';
import { findKey, type KeyName, readKeyName } from './find-key.ts';
import { type ForeignKey, foreignKeyOf, makeForeignDataKey, toObjectsError } from './foreign-data-keys.ts';
import { contextOf } from './key-access.ts';
import type { KmsDeps } from './kms-deps.ts';
import { type KmsKey, keyUsage, kmsKeyArn } from './kms-key.ts';
import { ENABLED, requireKey } from './on-key.ts';

const SERVICE = 'cloudtrail.amazonaws.com';
const ACTION = 'kms:GenerateDataKey';
const DEMANDS = { states: ENABLED, usage: 'ENCRYPT_DECRYPT' } as const;

export function createTrailKeys(deps: KmsDeps): TrailKeys {
  return {
    check: (name, region, use) => check(deps, { name, region }, use),
    make: (keyArn, use) =>
      make(deps, keyArn, { account: use.account, region: (keyArn.split(':')[3] ?? '') as Region }, { ...use, isBucketKey: false }),
    makeDefault: ({ algorithm, keyId = '', isBucketKey = false }, at, use) =>
      algorithm === 'AES256' ? makeOwn(deps) : make(deps, keyId, at, { ...use, isBucketKey }),
  };
}

/** @param at Whose keys, and where, an id or alias is one of. @throws ObjectsError */
async function make(
  deps: KmsDeps,
  keyName: string,
  at: { readonly account: AccountId; readonly region: Region },
  use: TrailKeyUse & { readonly isBucketKey: boolean },
): Promise<DataKey> {
  try {
    const name = readKeyName(keyName, at);
    const foreign = (await findKey(deps, name)) === undefined ? foreignKeyOf(deps, name, at.account) : undefined;
    if (foreign !== undefined) return await makeForeignDataKey(foreign.keys, foreign.arn, use.context, use.isBucketKey);
    const { value: key } = await requireKey(deps, name, DEMANDS);
    if (verdictOf(key, use).kind !== 'allowed')
      throw new ObjectsError('AccessDenied', `the policy of ${kmsKeyArn(key)} does not let ${SERVICE} encrypt for ${use.trailArn}`);
    return (await makeDataKey(deps, key, use.context, use.isBucketKey)).dataKey;
  } catch (error) {
    if (error instanceof ForeignKeysError) throw toObjectsError(error);
    if (!(error instanceof ApiError)) throw error;
    throw new ObjectsError(`KMS.${error.code}`, error.message, { cause: error });
  }
}

async function check(
  deps: KmsDeps,
  { name, region }: { readonly name: string; readonly region: Region },
  use: TrailKeyUse,
): Promise<TrailKeyVerdict> {
  let named: KeyName;
  try {
    named = readKeyName(name, { account: use.account, region });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { kind: error.message.startsWith('Invalid arn ') ? 'missing' : 'malformed' };
  }
  const key = (await findKey(deps, named))?.value;
  const foreign = key === undefined ? foreignKeyOf(deps, named, use.account) : undefined;
  if (foreign !== undefined) return checkForeign(foreign, use);
  if (key === undefined) return { kind: 'missing' };
  const verdict = verdictOf(key, use);
  // What another account keeps is as if it were not there.
  if (verdict.kind !== 'allowed' && key.account !== use.account) return { kind: 'missing' };
  const arn = kmsKeyArn(key);
  if (keyUsage(key) !== 'ENCRYPT_DECRYPT') return { kind: 'unusable', arn, reason: `it is no symmetric key, but of ${key.spec}` };
  if (key.state !== 'Enabled')
    return { kind: 'unusable', arn, reason: key.state === 'Disabled' ? 'it is disabled' : 'it is pending deletion' };
  if (verdict.kind !== 'allowed') return { kind: 'refused', arn, reason: reasonOf(verdict), correctedPolicy: correctedPolicy(key, use) };
  return { kind: 'usable', arn };
}

/** By a use as a delivery makes it: the policy there lets our credentials in, or not. */
async function checkForeign({ keys, arn }: ForeignKey, { context }: TrailKeyUse): Promise<TrailKeyVerdict> {
  try {
    return { kind: 'usable', arn: (await keys.makeDataKey(arn, context)).keyArn };
  } catch (error) {
    if (!(error instanceof ForeignKeysError)) throw error;
    if (error.reason === 'NotFoundException') return { kind: 'missing' };
    return { kind: 'unusable', arn, reason: `the KMS that holds it answered ${error.reason}` };
  }
}

function verdictOf(key: KmsKey, { account, trailArn, context: encryptionContext }: TrailKeyUse): PolicyVerdict {
  const parsed = parsePolicy(key.policy);
  if (parsed.kind === 'malformed') return { kind: 'not-allowed' };
  const context = new Map([
    ...contextOf(key, { encryptionContext }),
    ['aws:sourcearn', [trailArn]],
    ['aws:sourceaccount', [account]],
    ['aws:securetransport', ['true']],
    ['aws:principalisawsservice', ['true']],
    ['aws:principalservicename', [SERVICE]],
  ] as const);
  return evaluatePolicy(parsed.policy, {
    principal: { kind: 'service', service: SERVICE },
    action: ACTION,
    resource: kmsKeyArn(key),
    context,
  });
}

function reasonOf(verdict: PolicyVerdict): string {
  return verdict.kind === 'denied'
    ? `Statement ${statementName(verdict.statement)} of its policy denies ${ACTION} to ${SERVICE}.`
    : `No statement of its policy allows ${ACTION} to ${SERVICE}. Add the statement AllowCloudTrailEncryptLogs.`;
}

/** The policy with the documented statement for this trail. */
function correctedPolicy(key: KmsKey, { account, trailArn }: TrailKeyUse): string {
  return withStatement(key.policy, {
    Sid: 'AllowCloudTrailEncryptLogs',
    Effect: 'Allow',
    Principal: { Service: SERVICE },
    Action: 'kms:GenerateDataKey*',
    Resource: '*',
    Condition: {
      StringEquals: { 'aws:SourceArn': trailArn },
      StringLike: { 'kms:EncryptionContext:aws:cloudtrail:arn': `arn:aws:cloudtrail:*:${account}:trail/*` },
    },
  });
}
