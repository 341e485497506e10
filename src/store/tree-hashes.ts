/**
 * The hashes of the evidence tree: of every leaf, and of every complete subtree above.
 *
 * A leaf that is in needs the journal no more: proofs are made from these hashes whatever is archived or expired.
 *
 * Promises, for every implementation (`test/stores/tree-hashes.contract.ts`):
 * - Leaves are only ever added. What was read once reads the same for ever.
 * - After a power cut the tree is the one of `durableSize()` leaves, or of some more; never one with a hole.
 * - There is one writer, which waits for each `append` before the next. Reads may run beside it.
 * - After a sync failed, nothing more is taken: the disk may have lost what it said it had (P7).
 */
export interface TreeHashes {
  /** Number of leaves that were added and can be read. */
  size(): bigint;
  /** Number of leaves that would survive a power cut. At most `size()`. */
  durableSize(): bigint;
  /**
   * Adds leaves. They can be read when it resolves; they are durable after the next `sync`.
   *
   * @param leafHashes Hashes of 32 bytes, one after the other; may be empty.
   * @throws RangeError when its length is not a multiple of 32.
   * @throws Error when they cannot be stored; then none was added, and the same may be added again.
   */
  append(leafHashes: Uint8Array): Promise<void>;
  /** Makes every leaf durable that was added before the call. */
  sync(): Promise<void>;
  /**
   * Hash over leaves `index · 2^level` up to before `(index + 1) · 2^level`; level 0 is the leaves.
   * @throws RangeError when the tree does not hold all of those leaves.
   */
  read(level: number, index: bigint): Promise<Uint8Array>;
  /** Syncs, and releases the files. */
  close(): Promise<void>;
}

/** Hash of an inner node from those of its children: RFC 6962 in production, passed in. */
export type HashChildren = (left: Uint8Array, right: Uint8Array) => Uint8Array;
