/**
 * Reads pieces of segment files, here or in a thread of its own, and unpacks them where they are blocks.
 *
 * A page of a look-up wants fifty events from as many places. Reading and inflating those takes milliseconds, in which
 * the main thread would answer nobody; so over the system's files a thread does it (`SegmentReaderThread`). Over other
 * files, such as those of a crash test, it happens here (`ReadInPlace`).
 */
import { readFully } from '../files.ts';
import type { FilePool } from './file-pool.ts';
import { BlockDamaged, type Packing, unpackBlock } from './unpack-block.ts';

/** A file that pieces are read from. One object for each file, as long as it is read. */
export interface SegmentFile {
  readonly path: string;
  /** What blocks of a sealed file are unpacked with; absent for a log file, whose bytes are wanted as they lie. */
  readonly packing?: Packing;
}

export interface SegmentReader {
  /**
   * The piece: less than wanted where the file ends; or a block as `unpackBlock` gives it, or what is wrong with it.
   * @throws the system's error, with its `code`, when the file cannot be read.
   */
  read(file: SegmentFile, position: number, bytes: number): Promise<Buffer | string>;
  /** The file is not read any more, and need not stay open. */
  forget(file: SegmentFile): void;
  /** What is being read fails; nothing may be asked for afterwards. */
  close(): Promise<void>;
}

export class ReadInPlace implements SegmentReader {
  readonly #pool: FilePool;

  /** @param pool Closed by its owner. */
  constructor(pool: FilePool) {
    this.#pool = pool;
  }

  async read(file: SegmentFile, position: number, bytes: number): Promise<Buffer | string> {
    const piece = Buffer.allocUnsafeSlow(bytes);
    const count = await this.#pool.use(file.path, (open) => readFully(open, piece, position));
    return unpackPiece(piece.subarray(0, count), file);
  }

  /** The pool closes what is not used. */
  forget(): void {}

  async close(): Promise<void> {}
}

/** The piece as `read` returns it. A block is a copy, other bytes are the same. */
export function unpackPiece(bytes: Buffer, { packing }: Pick<SegmentFile, 'packing'>): Buffer | string {
  if (packing === undefined) return bytes;
  try {
    return unpackBlock(bytes, packing);
  } catch (error) {
    if (error instanceof BlockDamaged) return error.message;
    throw error;
  }
}
