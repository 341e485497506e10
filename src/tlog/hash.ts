/**
 * The hashing of an append-only Merkle tree.
 *
 * A leaf and an inner node get different prefixes, so that nobody can pass one off as the other. SHA-256 is passed in:
 * the same code runs in the server, in the offline verifier and in a browser.
 * Source: RFC 6962 §2.1 (the same in RFC 9162).
 */

/** SHA-256 of the bytes: 32 bytes. It must not keep or change what it was given. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

/** Length of every hash of the tree. */
export const HASH_BYTES = 32;

/** Hash of a leaf: SHA-256(0x00 ‖ leaf). */
export function hashLeaf(sha256: Sha256, leaf: Uint8Array): Uint8Array {
  const input = new Uint8Array(1 + leaf.length);
  input.set(leaf, 1);
  return sha256(input);
}

/** Input of `hashNode`, used again each time: making one anew costs as much as hashing it. */
const nodeInput = new Uint8Array(1 + 2 * HASH_BYTES);

/** Hash of an inner node: SHA-256(0x01 ‖ left ‖ right). Both are 32 bytes. */
export function hashNode(sha256: Sha256, left: Uint8Array, right: Uint8Array): Uint8Array {
  nodeInput[0] = 1;
  nodeInput.set(left, 1);
  nodeInput.set(right, 1 + HASH_BYTES);
  return sha256(nodeInput);
}

/** True when both are 32 bytes and the same. Nothing here is secret: the time it takes may depend on the values. */
export function isSameHash(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== HASH_BYTES || other.length !== HASH_BYTES) return false;
  for (let index = 0; index < HASH_BYTES; index++) if (one[index] !== other[index]) return false;
  return true;
}
