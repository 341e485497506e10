/**
 * Proves that an event's bytes are in the signed record, without taking the server's word for any step.
 *
 * The leaf is computed here from the bytes that the server gave for the event; its path leads to a root, and the root stands in a
 * checkpoint that one of the trusted keys signed. What is trusted is the key alone: the one pinned by the caller, else those that
 * the server lists.
 */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseCheckpoint } from '../tlog/checkpoint.ts';
import { hashEntry } from '../tlog/leaf.ts';
import { type NoteKey, parseNote, parseNoteKey, verifyNote } from '../tlog/note.ts';
import { fromBase64, toBase64, utf8 } from '../tlog/text.ts';
import { verifyInclusion } from '../tlog/tree.ts';
import { verifyEd25519 } from '../verify/trust.ts';
import type { Client } from './client.ts';
import { CommandFailed, UsageError } from './exit.ts';

/** The entry is durable before it is a leaf: how often and how long apart it is asked for. */
const PENDING_TRIES = 20;
const PENDING_MS = 250;

/** The members of `GetInclusionProof`. */
interface InclusionProof {
  readonly Sequence: string;
  readonly LeafIndex: string;
  readonly LeafText: string;
  readonly TreeSize: string;
  /** C2SP note. */
  readonly Checkpoint: string;
  /** Base64. */
  readonly Hashes: readonly string[];
}

/** What came of a check, with all that is needed to repeat it. */
export interface InclusionCheck extends InclusionProof {
  readonly IsVerified: boolean;
  /** What does not hold; absent when all does. */
  readonly Problem?: string;
  /** Base64; computed from the event's bytes. */
  readonly LeafHash: string;
  /** Base64; as the checkpoint states it. */
  readonly RootHash: string;
  /** Verifier lines of the trusted keys that signed the checkpoint. */
  readonly SignedBy: readonly string[];
}

/** The event as `GetEvent` answers it. */
export interface ProvedEvent {
  readonly Sequence: string;
  readonly ReceivedAt: string;
  readonly AccountId: string;
  readonly EventId: string;
  readonly Nonce: string;
  readonly Record: string;
}

export interface TrustedKey {
  readonly key: NoteKey;
  readonly line: string;
}

/**
 * @param pinnedKey A verifier line to trust; `undefined` trusts what the server lists.
 * @throws UsageError when the pinned key is none. @throws CommandFailed when the server gives no proof.
 */
export async function proveInclusion(client: Client, event: ProvedEvent, pinnedKey: string | undefined): Promise<InclusionCheck> {
  const trusted = pinnedKey === undefined ? await listedKeys(client) : [readKey(pinnedKey)];
  const proof = await getProof(client, event.Sequence);
  return checkInclusion(event, proof, trusted);
}

/** Holds a proof (untrusted) against the event's bytes and the trusted keys. */
export function checkInclusion(event: ProvedEvent, proof: InclusionProof, trusted: readonly TrustedKey[]): InclusionCheck {
  const leafHash = hashEntry(sha256, {
    kind: 'event',
    sequence: BigInt(event.Sequence),
    receivedAtMs: Date.parse(event.ReceivedAt),
    account: event.AccountId,
    id: event.EventId,
    nonce: fromBase64(event.Nonce) ?? new Uint8Array(),
    bytes: utf8(event.Record),
  });
  const opened = openCheckpoint(proof.Checkpoint, trusted);
  const result = { ...proof, LeafHash: toBase64(leafHash), RootHash: opened.rootHash, SignedBy: opened.signedBy };
  if (opened.problem !== undefined) return { ...result, IsVerified: false, Problem: opened.problem };
  const claim = { leafHash, index: BigInt(event.Sequence) - 1n, size: opened.size, root: opened.root };
  const path = proof.Hashes.map((hash) => fromBase64(hash) ?? new Uint8Array());
  if (verifyInclusion(sha256, claim, path)) return { ...result, IsVerified: true };
  return { ...result, IsVerified: false, Problem: "the path from the event's bytes does not lead to the signed root" };
}

interface OpenedCheckpoint {
  readonly size: bigint;
  readonly root: Uint8Array;
  /** Base64. */
  readonly rootHash: string;
  readonly signedBy: readonly string[];
  readonly problem?: string;
}

/** Reads a checkpoint and finds the trusted keys that signed it. */
export function openCheckpoint(text: string, trusted: readonly TrustedKey[]): OpenedCheckpoint {
  const nothing = { size: 0n, root: new Uint8Array(), rootHash: '', signedBy: [] };
  const note = parseNote(text);
  if (note.kind === 'malformed') return { ...nothing, problem: `the checkpoint is no signed note: ${note.reason}` };
  const checkpoint = parseCheckpoint(note.value.text);
  if (checkpoint.kind === 'malformed') return { ...nothing, problem: `the checkpoint cannot be read: ${checkpoint.reason}` };
  const { size, root } = checkpoint.value;
  const read = { size, root, rootHash: toBase64(root), signedBy: [] };
  const verdict = verifyNote(
    note.value,
    trusted.map(({ key }) => key),
    verifyEd25519,
  );
  switch (verdict.kind) {
    case 'signed':
      return { ...read, signedBy: verdict.by.map((key) => trusted.find((one) => one.key === key)!.line) };
    case 'no-known-key':
      return { ...read, problem: 'none of the trusted keys signed the checkpoint' };
    case 'bad-signature':
      return { ...read, problem: `the checkpoint's signature by ${verdict.key.name}+${verdict.key.keyHash} is wrong` };
  }
}

/** The checkpoint keys that the server lists. */
export async function listedKeys(client: Client): Promise<readonly TrustedKey[]> {
  const { Keys } = await client.call<{ Keys: readonly { readonly VerifierKey?: string }[] }>('ListEvidenceKeys');
  return Keys.flatMap(({ VerifierKey }) => (VerifierKey === undefined ? [] : [readKey(VerifierKey)]));
}

function readKey(line: string): TrustedKey {
  const parsed = parseNoteKey(sha256, line.trim());
  if (parsed.kind === 'ok') return { key: parsed.value, line: line.trim() };
  throw new UsageError(`the public key cannot be used: ${parsed.reason}`);
}

async function getProof(client: Client, sequence: string): Promise<InclusionProof> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await client.call<InclusionProof>('GetInclusionProof', { Sequence: sequence });
    } catch (error) {
      const isPending = error instanceof CommandFailed && error.code === 'EntryPendingException';
      if (!isPending || attempt === PENDING_TRIES) throw error;
      await sleep(PENDING_MS);
    }
  }
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}
