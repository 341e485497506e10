/**
 * `GetInclusionProof`: that one entry is in the record that a checkpoint signs.
 *
 * The caller gets what it needs to check the entry's bytes by itself: the leaf's text and the nonce. The nonce is for the
 * entry's owner only, since it lets guesses about the bytes be tested; so a foreign entry looks as if it were not there.
 */
import { ApiError } from '../api/api-error.ts';
import type { Call, Operation } from '../api/operation.ts';
import type { AccountId, JsonObject } from '../event/types.ts';
import { isAccountId } from '../event/values.ts';
import type { Journal, JournalEntry } from '../store/journal.ts';
import type { Sha256 } from '../tlog/hash.ts';
import { hashBytes, leafText } from '../tlog/leaf.ts';
import { toBase64 } from '../tlog/text.ts';
import type { SignedCheckpoint, TreeFollower } from './grow-tree.ts';
import { readShortText, readWhole } from './read-input.ts';

interface GetInclusionProofOutput {
  readonly Sequence: string;
  readonly LeafIndex: string;
  /** The text that is hashed as the leaf. */
  readonly LeafText: string;
  /** Base64. SHA-256 of nonce and event bytes is in the leaf's text. */
  readonly Nonce: string;
  readonly TreeSize: string;
  /** The signed note of this size. */
  readonly Checkpoint: string;
  /** Base64, in the order of RFC 6962. */
  readonly Hashes: readonly string[];
}

/** Input: `Sequence`, or `EventId` with `AccountId` (the caller's own when absent). The proof is for the newest checkpoint. */
export function getInclusionProof(deps: {
  readonly tree: Pick<TreeFollower, 'latestCheckpoint' | 'checkpointNow' | 'cursor' | 'inclusion'>;
  readonly journal: Pick<Journal, 'find' | 'fetch' | 'head'>;
  readonly sha256: Sha256;
}): Operation<JsonObject, GetInclusionProofOutput> {
  return {
    name: 'GetInclusionProof',
    isReadOnly: true,
    decide: async (call, input) => ({ output: await proveEntry(deps, await findEntry(deps.journal, call, input)) }),
  };
}

/** @throws ApiError EntryPendingException */
export async function proveEntry(
  {
    tree,
    sha256,
  }: { readonly tree: Pick<TreeFollower, 'latestCheckpoint' | 'checkpointNow' | 'cursor' | 'inclusion'>; readonly sha256: Sha256 },
  entry: JournalEntry,
): Promise<GetInclusionProofOutput> {
  const checkpoint = await checkpointOver(tree, entry.sequence);
  const hashes = await tree.inclusion(entry.sequence, checkpoint.size);
  return {
    Sequence: `${entry.sequence}`,
    LeafIndex: `${entry.sequence - 1n}`,
    LeafText: leafText(entry, hashBytes(sha256, entry)),
    Nonce: toBase64(entry.nonce),
    TreeSize: `${checkpoint.size}`,
    Checkpoint: checkpoint.note,
    Hashes: hashes.map(toBase64),
  };
}

async function findEntry(journal: Pick<Journal, 'find' | 'fetch' | 'head'>, call: Call, input: JsonObject): Promise<JournalEntry> {
  const sequence = await readSequence(journal, call, input);
  const notFound = new ApiError('EntryNotFoundException', 'no such entry in an account that you may see', { status: 404 });
  if (sequence === undefined || sequence < 1n || sequence > journal.head()) throw notFound;
  const [entry] = await journal.fetch([sequence]);
  if (entry === undefined || !maySee(call, entry.account)) throw notFound;
  return entry;
}

async function readSequence(journal: Pick<Journal, 'find'>, call: Call, input: JsonObject): Promise<bigint | undefined> {
  const sequence = readWhole(input, 'Sequence');
  const eventId = readShortText(input, 'EventId');
  if ((sequence === undefined) === (eventId === undefined))
    throw new ApiError('ValidationException', 'expected one of `Sequence` and `EventId`');
  if (eventId === undefined) return sequence;
  const account = readShortText(input, 'AccountId') ?? call.account;
  if (!isAccountId(account)) throw new ApiError('ValidationException', `\`AccountId\` is \`${account}\`; expected 12 digits`);
  return maySee(call, account) ? journal.find(account, eventId) : undefined;
}

function maySee(call: Call, account: AccountId): boolean {
  return call.principal.isAdministrator || account === call.account;
}

/** The newest checkpoint when it covers the entry, else one signed now. */
async function checkpointOver(
  tree: Pick<TreeFollower, 'latestCheckpoint' | 'checkpointNow' | 'cursor'>,
  sequence: bigint,
): Promise<SignedCheckpoint> {
  const latest = tree.latestCheckpoint();
  if (latest !== undefined && latest.size >= sequence) return latest;
  const signed = tree.cursor() >= sequence ? await tree.checkpointNow() : undefined;
  if (signed !== undefined && signed.size >= sequence) return signed;
  throw new ApiError('EntryPendingException', 'the entry is durable and not in the tree yet; ask again in a second', { status: 409 });
}
