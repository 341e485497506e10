/**
 * `GetConsistencyProof`: that the record of then is the beginning of the record of now.
 */
import { ApiError } from '../api/api-error.ts';
import type { Operation } from '../api/operation.ts';
import type { JsonObject } from '../event/types.ts';
import { toBase64 } from '../tlog/text.ts';
import { requireCheckpoint } from './get-checkpoint.ts';
import type { TreeFollower } from './grow-tree.ts';
import { readWhole } from './read-input.ts';

interface GetConsistencyProofOutput {
  readonly FromSize: string;
  readonly ToSize: string;
  /** Base64, in the order of RFC 6962. */
  readonly Hashes: readonly string[];
}

/** Input: `FromSize`, and `ToSize` (the newest checkpoint's when absent). */
export function getConsistencyProof(deps: {
  readonly tree: Pick<TreeFollower, 'latestCheckpoint' | 'consistency'>;
}): Operation<JsonObject, GetConsistencyProofOutput> {
  return {
    name: 'GetConsistencyProof',
    isReadOnly: true,
    decide: async (_call, input) => {
      const latest = requireCheckpoint(deps.tree);
      const fromSize = readWhole(input, 'FromSize');
      if (fromSize === undefined)
        throw new ApiError('ValidationException', '`FromSize` is missing: the size of the checkpoint that you hold');
      const toSize = readWhole(input, 'ToSize') ?? latest.size;
      if (fromSize > toSize || toSize > latest.size)
        throw new ApiError('ValidationException', `expected \`FromSize\` ≤ \`ToSize\` ≤ ${latest.size}, the size of the newest checkpoint`);
      const hashes = await deps.tree.consistency(fromSize, toSize);
      return { output: { FromSize: `${fromSize}`, ToSize: `${toSize}`, Hashes: hashes.map(toBase64) } };
    },
  };
}
