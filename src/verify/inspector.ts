/**
 * Inspects files in worker threads, or in this thread where there are none.
 *
 * Threads start only when there is work for them: a few files are done sooner without. The bundled worker lies beside
 * this code or in the package's `dist`; where it is not found (a bundle of the verifier alone, sources without a
 * build), everything is done here, with the same result.
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { type FileFacts, type FileToInspect, type InspectMessage, inspectFile } from './inspect-file.ts';

/** Files that are inspected in this thread before threads are worth their start. */
const FILES_BEFORE_THREADS = 64;
/** Most files of one message to a thread. */
const FILES_PER_MESSAGE = 16;
/** How long fewer files than that wait for more: a message costs more than a file. */
const GATHER_MS = 2;
const WORKER_FILE = 'inspect-file.worker.js';

interface Waiting {
  readonly file: FileToInspect;
  readonly resolve: (facts: FileFacts) => void;
  readonly reject: (error: unknown) => void;
}

interface Thread {
  readonly worker: Worker;
  /** The files it was given and has not answered; empty when it is idle. */
  batch: Waiting[];
}

export class Inspector {
  readonly #threadsMax: number;
  readonly #workerUrl: URL | undefined;
  readonly #threads: Thread[] = [];
  readonly #queue: Waiting[] = [];
  #inspected = 0;
  /** Set while a few files wait for more. */
  #gathering: NodeJS.Timeout | undefined;

  /** @param threads Most worker threads; by default one less than there are processors, at most 8. */
  constructor(threads?: number) {
    this.#threadsMax = threads ?? Math.min(8, Math.max(1, availableParallelism() - 1));
    this.#workerUrl = this.#threadsMax > 0 ? findWorker() : undefined;
  }

  /** Says how many files there are, as far as is known: a thread starts up while the first are fetched. */
  expect(files: number): void {
    if (this.#workerUrl !== undefined && files > FILES_BEFORE_THREADS && this.#threads.length === 0) this.#start(this.#workerUrl);
  }

  async inspect(file: FileToInspect): Promise<FileFacts> {
    if (this.#workerUrl === undefined || this.#inspected++ < FILES_BEFORE_THREADS) return inspectFile(file);
    return new Promise((resolve, reject) => {
      this.#queue.push({ file, resolve, reject });
      if (this.#queue.length >= FILES_PER_MESSAGE) this.#assign(this.#workerUrl!);
      else this.#gathering ??= setTimeout(() => this.#assign(this.#workerUrl!), GATHER_MS);
    });
  }

  /** Ends the threads. Nothing may be under way. */
  async close(): Promise<void> {
    await Promise.all(this.#threads.splice(0).map(({ worker }) => worker.terminate()));
  }

  /** Gives waiting files to an idle thread, or to a new one. */
  #assign(url: URL): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    while (this.#queue.length > 0) {
      const idle = this.#threads.find((thread) => thread.batch.length === 0);
      if (idle === undefined && this.#threads.length === this.#threadsMax) return;
      send(idle ?? this.#start(url), this.#queue.splice(0, FILES_PER_MESSAGE));
    }
  }

  #start(url: URL): Thread {
    const worker = new Worker(url);
    const thread: Thread = { worker, batch: [] };
    worker.on('message', (facts: readonly FileFacts[]) => {
      const done = thread.batch;
      thread.batch = [];
      this.#assign(url);
      done.forEach((waiting, index) => {
        waiting.resolve(facts[index]!);
      });
    });
    worker.on('error', (error) => {
      this.#threads.splice(this.#threads.indexOf(thread), 1);
      for (const waiting of thread.batch.splice(0)) waiting.reject(error);
      this.#assign(url);
    });
    this.#threads.push(thread);
    return thread;
  }
}

/** The bytes of a batch go over in one piece: one copy and one hand-over cost less than many small ones. */
function send(thread: Thread, batch: Waiting[]): void {
  thread.batch = batch;
  const joined = new Uint8Array(batch.reduce((size, { file }) => size + file.bytes.length, 0));
  let at = 0;
  const files = batch.map(({ file }) => {
    joined.set(file.bytes, at);
    const from = at;
    at += file.bytes.length;
    return { kind: file.kind, from, to: at };
  });
  const message: InspectMessage = { bytes: joined, files };
  thread.worker.postMessage(message, [joined.buffer]);
}

function findWorker(): URL | undefined {
  let folder = dirname(fileURLToPath(import.meta.url));
  const places = [folder];
  for (let parent = dirname(folder); parent !== folder; parent = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) {
      places.push(join(folder, 'dist'));
      break;
    }
    folder = parent;
  }
  const found = places.map((place) => join(place, WORKER_FILE)).find((path) => existsSync(path));
  return found === undefined ? undefined : pathToFileURL(found);
}
