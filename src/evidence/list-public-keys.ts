/**
 * CloudTrail's `ListPublicKeys`: the digest keys that were valid at some time of a range.
 *
 * One key set serves every Region, and all keys of the range come on one page: `aws cloudtrail validate-logs` reads no
 * second one, and without `--region` asks in another Region than it lists (cloudtrail.md §3.5, §3.6).
 */
import { ApiError } from '../api/api-error.ts';
import type { Operation } from '../api/operation.ts';
import type { EpochMs } from '../event/types.ts';
import type { Clock } from '../store/clock.ts';
import { type Keys, keyValidity } from '../store/keys.ts';

interface ListPublicKeysInput {
  readonly StartTime?: Date;
  readonly EndTime?: Date;
  readonly NextToken?: string;
}

interface ListPublicKeysOutput {
  readonly PublicKeyList: readonly {
    /** DER of PKCS#1 `RSAPublicKey`; nothing else is read by the CLI. */
    readonly Value: Uint8Array;
    readonly ValidityStartTime: Date;
    readonly ValidityEndTime: Date;
    readonly Fingerprint: string;
  }[];
}

export function listPublicKeys(deps: {
  readonly keys: Pick<Keys, 'list'>;
  readonly clock: Pick<Clock, 'nowMs'>;
}): Operation<ListPublicKeysInput, ListPublicKeysOutput> {
  return {
    name: 'ListPublicKeys',
    isReadOnly: true,
    decide: async (_call, input) => {
      if (input.NextToken !== undefined)
        throw new ApiError('InvalidTokenException', 'The token is not valid: all public keys are returned at once.');
      const { fromMs, toMs } = rangeOf(input, deps.clock.nowMs());
      const keys = (await deps.keys.list('digest')).map((key) => ({ key, validity: keyValidity(key) }));
      const valid = keys.filter(({ validity }) => validity.fromMs <= toMs && fromMs <= validity.toMs);
      return {
        output: {
          PublicKeyList: valid.map(({ key, validity }) => ({
            Value: key.publicKey,
            ValidityStartTime: new Date(validity.fromMs),
            ValidityEndTime: new Date(validity.toMs),
            Fingerprint: key.fingerprint,
          })),
        },
      };
    },
  };
}

/** Either end is now when it is not given; a given one beyond now takes the other along. */
function rangeOf(input: ListPublicKeysInput, nowMs: EpochMs): { readonly fromMs: EpochMs; readonly toMs: EpochMs } {
  const fromMs = input.StartTime?.getTime() ?? Math.min(nowMs, input.EndTime?.getTime() ?? nowMs);
  const toMs = input.EndTime?.getTime() ?? Math.max(nowMs, fromMs);
  if (fromMs > toMs) throw new ApiError('InvalidTimeRangeException', 'The start time must not be after the end time.');
  return { fromMs, toMs };
}
