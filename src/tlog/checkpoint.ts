/**
 * The text of a checkpoint: which log, how many leaves, which root.
 *
 * It is signed as a note (`note.ts`). No extension lines are written, and a text that has some is refused: what we do
 * not understand we do not vouch for.
 * Source: C2SP tlog-checkpoint.
 */
import { HASH_BYTES } from './hash.ts';
import { isKeyName, type Note, parseNote } from './note.ts';
import { Malformed, outcomeOf, type Parsed } from './parsed.ts';
import { fromBase64, toBase64 } from './text.ts';
import { TREE_SIZE_MAX } from './tree.ts';

export interface Checkpoint {
  /** Name of the log, such as `snowtrail/4f1c…`; also the name of the key that signs it. */
  readonly origin: string;
  /** Number of leaves, which is also the sequence of the last journal entry in it. */
  readonly size: bigint;
  /** Root hash, 32 bytes. */
  readonly root: Uint8Array;
}

/** The text that is signed: three lines. */
export function encodeCheckpoint(checkpoint: Checkpoint): string {
  const { origin, size, root } = checkpoint;
  if (!isKeyName(origin)) throw new RangeError(`\`${origin}\` is not the name of a log: it is empty or holds a space or a plus sign`);
  if (size < 0n || size > TREE_SIZE_MAX) throw new RangeError(`\`${size}\` is not the size of a tree`);
  if (root.length !== HASH_BYTES) throw new RangeError(`a root hash has ${HASH_BYTES} bytes, not ${root.length}`);
  return `${origin}\n${size}\n${toBase64(root)}\n`;
}

/** Reads the text of a note as a checkpoint. Untrusted until the note's signature was checked. */
export function parseCheckpoint(text: string): Parsed<Checkpoint> {
  return outcomeOf(() => {
    const lines = text.split('\n');
    const [origin, size, root, end] = lines;
    if (lines.length !== 4 || end !== '') throw new Malformed('a checkpoint has three lines, each with its line end');
    if (!isKeyName(origin!)) throw new Malformed('the first line of a checkpoint is the name of the log');
    if (!/^(0|[1-9][0-9]{0,18})$/.test(size!) || BigInt(size!) > TREE_SIZE_MAX)
      throw new Malformed('the second line of a checkpoint is the size in decimal digits');
    const rootHash = fromBase64(root!);
    if (rootHash?.length !== HASH_BYTES) throw new Malformed('the third line of a checkpoint is the root hash in base64');
    return { origin: origin!, size: BigInt(size!), root: rootHash };
  });
}

/** Reads the note that carries a checkpoint. Untrusted until its signature was checked. */
export function parseCheckpointNote(text: string): Parsed<{ readonly note: Note; readonly checkpoint: Checkpoint }> {
  const note = parseNote(text);
  if (note.kind === 'malformed') return note;
  const parsed = parseCheckpoint(note.value.text);
  return parsed.kind === 'malformed' ? parsed : { kind: 'ok', value: { note: note.value, checkpoint: parsed.value } };
}
