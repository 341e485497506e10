/**
 * All operations of the evidence, by service.
 */
import type { Operation } from '../api/operation.ts';
import type { Journal } from '../store/journal.ts';
import type { Sha256 } from '../tlog/hash.ts';
import { getCheckpoint } from './get-checkpoint.ts';
import { getConsistencyProof } from './get-consistency-proof.ts';
import { getInclusionProof } from './get-inclusion-proof.ts';
import type { TreeFollower } from './grow-tree.ts';
import { listEvidenceKeys } from './list-evidence-keys.ts';
import { listPublicKeys } from './list-public-keys.ts';
import { rotateKeyOperation } from './rotate-key.ts';
import type { KeyStatementOptions } from './state-keys.ts';

/** What the operations need; `server/` fills it in. `account` is the installation's first account. */
export interface EvidenceDeps extends KeyStatementOptions {
  readonly journal: Pick<Journal, 'append' | 'find' | 'fetch' | 'head' | 'health'>;
  readonly tree: TreeFollower;
  readonly sha256: Sha256;
}

export function evidenceOperations(deps: EvidenceDeps): {
  readonly cloudtrail: readonly Operation[];
  readonly snowtrail: readonly Operation[];
} {
  return {
    cloudtrail: [listPublicKeys(deps)] as readonly Operation[],
    snowtrail: [
      getCheckpoint(deps),
      getConsistencyProof(deps),
      getInclusionProof(deps),
      listEvidenceKeys(deps),
      rotateKeyOperation(deps),
    ] as readonly Operation[],
  };
}
