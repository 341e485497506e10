/**
 * `GetCheckpoint`: the newest signed statement of how long the record is and what is in it.
 */
import { ApiError } from '../api/api-error.ts';
import type { Operation } from '../api/operation.ts';
import type { JsonObject } from '../event/types.ts';
import { toBase64 } from '../tlog/text.ts';
import type { SignedCheckpoint, TreeFollower } from './grow-tree.ts';

/** Sizes are decimal digits: they may exceed what a JSON number holds. */
interface GetCheckpointOutput {
  /** The C2SP note. All else is in it, too; nothing but the note proves anything. */
  readonly Checkpoint: string;
  readonly TreeSize: string;
  /** Base64. */
  readonly RootHash: string;
}

export function getCheckpoint(deps: { readonly tree: Pick<TreeFollower, 'latestCheckpoint'> }): Operation<JsonObject, GetCheckpointOutput> {
  return {
    name: 'GetCheckpoint',
    isReadOnly: true,
    decide: async () => {
      const { note, size, root } = requireCheckpoint(deps.tree);
      return { output: { Checkpoint: note, TreeSize: `${size}`, RootHash: toBase64(root) } };
    },
  };
}

/** @throws ApiError `CheckpointNotFoundException` before the very first one. */
export function requireCheckpoint(tree: Pick<TreeFollower, 'latestCheckpoint'>): SignedCheckpoint {
  const checkpoint = tree.latestCheckpoint();
  if (checkpoint === undefined)
    throw new ApiError('CheckpointNotFoundException', 'no checkpoint was signed yet; ask again in a second', { status: 404 });
  return checkpoint;
}
