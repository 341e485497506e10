/**
 * A body as encrypted pieces, so that any part of it can be read and none be changed, moved, or cut off unseen.
 *
 * Each piece of 64 KiB is AES-256-GCM under a key of this body alone; the nonce is the piece's number and whether it is the last.
 * An empty body is one empty piece. Source: the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015).
 */
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';

const PIECE_BYTES = 64 * 1024;
const TAG_BYTES = 16;
const SEALED_PIECE_BYTES = PIECE_BYTES + TAG_BYTES;

/** The key of one body, of its object's data key and a salt that is never used again. */
export function bodyKey(dataKey: Uint8Array, salt: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', dataKey, salt, 'snowtrail/object/1', 32));
}

export async function* sealPieces(body: AsyncIterable<Uint8Array>, key: Uint8Array): AsyncGenerator<Uint8Array> {
  let index = 0;
  // A piece goes out once it is known whether another one follows.
  let waiting: Uint8Array | undefined;
  for await (const piece of inPieces(body, PIECE_BYTES)) {
    if (waiting !== undefined) yield seal(waiting, key, { index: index++, isLast: false });
    waiting = piece;
  }
  yield seal(waiting ?? new Uint8Array(), key, { index, isLast: true });
}

/** Where the pieces lie that hold the bytes from `from` up to before `to`, of a body of `sizeBytes`. */
export function sealedRange(sizeBytes: number, { from, to }: { readonly from: number; readonly to: number }): readonly [number, number] {
  const first = Math.floor(from / PIECE_BYTES);
  const last = Math.floor(Math.max(from, to - 1) / PIECE_BYTES);
  return [first * SEALED_PIECE_BYTES, Math.min((last + 1) * SEALED_PIECE_BYTES, sealedSize(sizeBytes)) - 1];
}

function sealedSize(sizeBytes: number): number {
  return sizeBytes + TAG_BYTES * (lastIndex(sizeBytes) + 1);
}

function lastIndex(sizeBytes: number): number {
  return Math.max(0, Math.ceil(sizeBytes / PIECE_BYTES) - 1);
}

/**
 * The bytes from `from` up to before `to` of a body of `sizeBytes`.
 * @param sealed What lies at `sealedRange`.
 * @param damaged Makes the error for a piece that is not the one that was sealed.
 */
export async function* openPieces(
  sealed: AsyncIterable<Uint8Array>,
  key: Uint8Array,
  { sizeBytes, from, to }: { readonly sizeBytes: number; readonly from: number; readonly to: number },
  damaged: (detail: string) => Error,
): AsyncGenerator<Uint8Array> {
  const first = Math.floor(from / PIECE_BYTES);
  let index = first;
  for await (const piece of inPieces(sealed, SEALED_PIECE_BYTES)) {
    const plain = open(piece, key, { index, isLast: index === lastIndex(sizeBytes) });
    if (plain === undefined) throw damaged(`its piece ${index} is not the one that was encrypted`);
    const startsAt = index * PIECE_BYTES;
    const wanted = plain.subarray(Math.max(0, from - startsAt), Math.max(0, to - startsAt));
    if (wanted.length > 0) yield wanted;
    index += 1;
  }
  if (index <= Math.floor(Math.max(from, to - 1) / PIECE_BYTES)) throw damaged(`it ends before its piece ${index}`);
}

interface PieceNumber {
  readonly index: number;
  readonly isLast: boolean;
}

function seal(piece: Uint8Array, key: Uint8Array, number: PieceNumber): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', key, nonceOf(number));
  return Buffer.concat([cipher.update(piece), cipher.final(), cipher.getAuthTag()]);
}

function open(piece: Uint8Array, key: Uint8Array, number: PieceNumber): Uint8Array | undefined {
  if (piece.length < TAG_BYTES) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(number), { authTagLength: TAG_BYTES });
  decipher.setAuthTag(piece.subarray(piece.length - TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(piece.subarray(0, piece.length - TAG_BYTES)), decipher.final()]);
  } catch {
    return undefined;
  }
}

function nonceOf({ index, isLast }: PieceNumber): Uint8Array {
  const nonce = Buffer.alloc(12);
  nonce[0] = isLast ? 1 : 0;
  nonce.writeBigUInt64BE(BigInt(index), 4);
  return nonce;
}

/** Cuts a stream into pieces of one size; the last one may be shorter, and is not empty. */
async function* inPieces(body: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = [];
  let length = 0;
  for await (let piece of body) {
    while (length + piece.length >= size) {
      const head = piece.subarray(0, size - length);
      yield Buffer.concat([...parts, head]);
      piece = piece.subarray(head.length);
      parts = [];
      length = 0;
    }
    if (piece.length === 0) continue;
    parts.push(piece);
    length += piece.length;
  }
  if (length > 0) yield Buffer.concat(parts);
}
