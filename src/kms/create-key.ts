/**
 * `CreateKey`: a symmetric key that encrypts, or a pair that signs, with material made here.
 *
 * Imported material, key stores, HMAC keys and multi-Region keys are not built: refused, never made as something else.
 */
import { ApiError, unsupported } from '../api/api-error.ts';
import { type Call, type Operation, REPEATS_MS } from '../api/operation.ts';
import { tagRequestContext } from './key-access.ts';
import { makeMaterial } from './key-material.ts';
import { defaultKeyPolicy, requireKeyPolicy } from './key-policy.ts';
import type { KmsDeps } from './kms-deps.ts';
import { type KeySpec, type KeyTag, type KmsKey, keyChange, keyMetadata, keyResource, keyUsage, kmsKeyKey, kmsKeysKey } from './kms-key.ts';
import { recordMembers } from './record-input.ts';
import { requireTags } from './tags.ts';

/** Most keys of one account in one Region. */
const KEYS_MAX = 1_000;
const SPECS: ReadonlySet<string> = new Set<KeySpec>([
  'SYMMETRIC_DEFAULT',
  'RSA_2048',
  'RSA_3072',
  'RSA_4096',
  'ECC_NIST_P256',
  'ECC_NIST_P384',
]);

interface CreateKeyInput {
  readonly Policy?: string;
  readonly Description?: string;
  readonly KeyUsage?: string;
  readonly CustomerMasterKeySpec?: string;
  readonly KeySpec?: string;
  readonly Origin?: string;
  readonly CustomKeyStoreId?: string;
  readonly XksKeyId?: string;
  readonly BypassPolicyLockoutSafetyCheck?: boolean;
  readonly Tags?: readonly KeyTag[];
  readonly MultiRegion?: boolean;
}

export function createKey(deps: KmsDeps): Operation<CreateKeyInput, { readonly KeyMetadata: object }> {
  return {
    name: 'CreateKey',
    isReadOnly: false,
    refusesReplay: { afterMs: REPEATS_MS },
    access: (_call, { Tags: tags = [] }) => [{ action: 'kms:CreateKey', resource: '*', context: tagRequestContext(tags) }],
    decide: async (call, input) => {
      const spec = specOf(input);
      const { Policy: policy = defaultKeyPolicy(call.account), Tags: tags = [] } = input;
      requireKeyPolicy(call, policy, input.BypassPolicyLockoutSafetyCheck ?? false);
      requireTags(tags);
      const others = await deps.catalog.list(kmsKeysKey(call), { limit: KEYS_MAX });
      if (others.length >= KEYS_MAX)
        throw new ApiError('LimitExceededException', `Account ${call.account} has ${KEYS_MAX} keys in ${call.region} already.`);
      const key = await newKey(deps, call, { spec, policy, tags, description: input.Description ?? '' });
      const output = { KeyMetadata: keyMetadata(key) };
      return {
        output,
        resources: [keyResource(key)],
        requestParameters: recordMembers({
          ...input,
          Description: key.description,
          Origin: 'AWS_KMS',
          BypassPolicyLockoutSafetyCheck: input.BypassPolicyLockoutSafetyCheck ?? false,
          CustomerMasterKeySpec: spec,
          KeySpec: spec,
          KeyUsage: keyUsage(key),
        }),
        responseElements: recordMembers(output),
        changes: [keyChange(undefined, key)],
        apply: () => deps.catalog.commit([{ key: kmsKeyKey(key), value: key, expected: 0 }]),
      };
    },
  };
}

async function newKey(
  deps: KmsDeps,
  { account, region }: Call,
  settings: Pick<KmsKey, 'spec' | 'policy' | 'tags' | 'description'>,
): Promise<KmsKey> {
  const id = { account, region, id: deps.chance.uuid() };
  const material = await makeMaterial(deps, id, settings.spec);
  return { ...id, createdAtMs: deps.clock.nowMs(), ...settings, state: 'Enabled', materials: [material] };
}

/** @throws ApiError ValidationException, UnsupportedOperationException */
function specOf(input: CreateKeyInput): KeySpec {
  const { KeySpec: spec = input.CustomerMasterKeySpec ?? 'SYMMETRIC_DEFAULT', KeyUsage: usage } = input;
  if (input.KeySpec !== undefined && input.CustomerMasterKeySpec !== undefined)
    throw new ApiError(
      'ValidationException',
      'You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.',
    );
  if ((input.Origin ?? 'AWS_KMS') !== 'AWS_KMS') throw unsupported(`Origin ${input.Origin}`);
  if (input.CustomKeyStoreId !== undefined || input.XksKeyId !== undefined) throw unsupported('A key store');
  if (input.MultiRegion === true) throw unsupported('MultiRegion');
  if (!SPECS.has(spec)) throw unsupported(`KeySpec ${spec}`);
  const made = keyUsage({ spec: spec as KeySpec });
  if (usage === undefined && made !== 'ENCRYPT_DECRYPT')
    throw new ApiError('ValidationException', `You must specify a KeyUsage value for KeySpec ${spec}.`);
  if (usage !== undefined && usage !== made) {
    if (spec.startsWith('RSA_') && usage === 'ENCRYPT_DECRYPT') throw unsupported(`KeyUsage ENCRYPT_DECRYPT with KeySpec ${spec}`);
    throw new ApiError('ValidationException', `KeyUsage ${usage} is not compatible with KeySpec ${spec}`);
  }
  return spec as KeySpec;
}
