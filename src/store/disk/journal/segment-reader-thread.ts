/**
 * Has pieces of segment files read and unpacked by a thread (`read-segments.worker.ts`).
 *
 * What is asked for at once goes over in one message, and comes back in one: fifty pieces cost the main thread little
 * more than one. Pieces change hands without being copied. The thread starts with the first question; when it fails,
 * those who wait are told, and the next question starts another one.
 */
import { Worker } from 'node:worker_threads';
import { builtFile } from '../../built-file.ts';
import type { SegmentFile, SegmentReader } from './segment-reader.ts';

/** What goes to the thread. */
export interface ReadOrder {
  readonly number: number;
  /** Files that the thread does not know yet, each with the number that stands for it. */
  readonly files: readonly { readonly id: number; readonly file: SegmentFile }[];
  /** Files that it need not know any more. */
  readonly forgotten: readonly number[];
  /** File, position and bytes of each piece, one after the other. */
  readonly pieces: Float64Array;
}

/** What comes back. */
export interface ReadResult {
  readonly number: number;
  /** In the order of the pieces: the bytes, what is wrong with the block, or why the system could not read it. */
  readonly pieces: readonly (Uint8Array | string | ReadProblem)[];
}

export interface ReadProblem {
  readonly message: string;
  readonly code?: string;
}

/** The thread keeps next to nothing. With little room it looks often for buffers that nobody uses, which lie outside of its heap. */
const LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 64 };

interface Question {
  readonly file: SegmentFile;
  readonly position: number;
  readonly bytes: number;
  readonly resolve: (piece: Buffer | string) => void;
  readonly reject: (error: Error) => void;
}

export class SegmentReaderThread implements SegmentReader {
  #worker: Worker | undefined;
  /** Files that the present thread knows. */
  readonly #ids = new Map<SegmentFile, number>();
  #nextId = 0;
  /** Asked for in this turn of the event loop. */
  #questions: Question[] = [];
  /** Sent, by number of the order. */
  readonly #sent = new Map<number, readonly Question[]>();
  #nextOrder = 0;
  #isClosed = false;

  read(file: SegmentFile, position: number, bytes: number): Promise<Buffer | string> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) throw new Error('the journal is closed');
      this.#questions.push({ file, position, bytes, resolve, reject });
      if (this.#questions.length === 1) queueMicrotask(() => this.#send());
    });
  }

  forget(file: SegmentFile): void {
    const id = this.#ids.get(file);
    if (id === undefined) return;
    this.#ids.delete(file);
    this.#worker?.postMessage({ number: -1, files: [], forgotten: [id], pieces: new Float64Array(0) } satisfies ReadOrder);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const worker = this.#worker;
    this.#fail(new Error('the journal is closed'));
    await worker?.terminate();
  }

  #send(): void {
    const questions = this.#questions;
    this.#questions = [];
    if (questions.length === 0) return;
    this.#worker ??= this.#start();
    const files: ReadOrder['files'][number][] = [];
    const pieces = new Float64Array(questions.length * 3);
    for (const [place, { file, position, bytes }] of questions.entries()) {
      let id = this.#ids.get(file);
      if (id === undefined) {
        id = this.#nextId++;
        this.#ids.set(file, id);
        files.push({ id, file });
      }
      pieces.set([id, position, bytes], place * 3);
    }
    const number = this.#nextOrder++;
    this.#sent.set(number, questions);
    // While somebody waits, the thread keeps the process alive.
    this.#worker.ref();
    this.#worker.postMessage({ number, files, forgotten: [], pieces } satisfies ReadOrder);
  }

  #start(): Worker {
    const worker = new Worker(builtFile('read-segments.worker'), { resourceLimits: LIMITS });
    worker.on('message', (result: ReadResult) => this.#take(result));
    const end = (error: Error): void => {
      if (this.#worker === worker) this.#fail(error);
    };
    worker.once('error', end);
    worker.once('exit', (code) => end(new Error(`the thread that reads segments ended with code ${code}`)));
    return worker;
  }

  #take({ number, pieces }: ReadResult): void {
    const questions = this.#sent.get(number) ?? [];
    this.#sent.delete(number);
    for (const [place, { resolve, reject }] of questions.entries()) {
      const piece = pieces[place]!;
      if (typeof piece === 'string') resolve(piece);
      else if (piece instanceof Uint8Array) resolve(Buffer.from(piece.buffer, piece.byteOffset, piece.length));
      else reject(Object.assign(new Error(piece.message), piece));
    }
    if (this.#sent.size === 0) this.#worker?.unref();
  }

  #fail(error: Error): void {
    this.#worker = undefined;
    this.#ids.clear();
    const questions = [...this.#sent.values(), this.#questions].flat();
    this.#sent.clear();
    this.#questions = [];
    for (const { reject } of questions) reject(error);
  }
}
