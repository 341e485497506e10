/**
 * The resume file of `record` and `import`: which files are done, what was refused in them, and by how much times were moved.
 *
 * A line of JSON each, written when a file is done. One resume file is one job, at one server: what earlier runs refused is told again by each
 * later one, so that no number of runs hides it. It stays small: of a file it keeps the counts and the first reasons, and of
 * all files together no more than `NAMED_MAX` reasons.
 *
 * A file that changed since it was done is not done, and what was refused in it is forgotten once it is sent again. Files are known
 * by their whole path: `a.json` of another folder is another file.
 */
import { access, appendFile, constants, readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { CommandFailed, EXIT, UsageError } from './exit.ts';
import type { InputFile } from './input-files.ts';
import type { Refusals, Rejection } from './refusals.ts';
import { safeText } from './safe-text.ts';

/** Refused records of one file whose reasons are kept. */
export const NAMED_PER_FILE_MAX = 20;
/** Refused records of all files whose reasons are kept. */
const NAMED_MAX = 10_000;
/** How the lines of a resume file begin. */
const LINES = ['{"done":', '{"offsetMs":', '{"log":'];

/** A file that is done. */
interface DoneFile {
  /** Its whole path. */
  readonly done: string;
  readonly sizeBytes: number;
  readonly changedMs: number;
  /** How many of its records were refused, by code; absent: none. */
  readonly reasons?: Readonly<Record<string, number>>;
  /** The first of them. */
  readonly rejections?: readonly Rejection[];
}

type Line = Partial<DoneFile> & {
  readonly offsetMs?: number;
  /** Name of the log of the server that files were sent to. */
  readonly log?: string;
};

export class ResumeMemory {
  readonly #path: string | undefined;
  /** By path; the last line of a path counts. */
  readonly #done = new Map<string, DoneFile>();
  #named = 0;
  #offsetMs: number | undefined;
  /** Of the server that files are sent to. */
  readonly #log: string | undefined;
  /** As the file has it. */
  #savedLog: string | undefined;

  private constructor(path: string | undefined, log: string | undefined) {
    this.#path = path;
    this.#log = log;
  }

  /**
   * @param log Name of the log of the server that files are sent to.
   * @throws UsageError when the file cannot be read, is another kind of file, or remembers what was sent to another server.
   */
  static async open(path: string | undefined, log?: string): Promise<ResumeMemory> {
    const memory = new ResumeMemory(path, log);
    const text = path === undefined ? '' : await readResumeFile(path);
    // A run that was killed may have left half a line behind: that file is sent again, and its rest is ended here.
    const lines = text.split('\n');
    const half = lines.pop() ?? '';
    for (const line of lines) memory.#read(line);
    const saved = memory.#savedLog;
    if (log !== undefined && saved !== undefined && saved !== log)
      throw new UsageError(
        `\`--resume ${path}\` remembers what was sent to another server (\`${safeText(saved)}\`; this one is \`${log}\`); give a new file, which is made`,
      );
    if (path !== undefined && half !== '') await appendFile(path, '\n');
    return memory;
  }

  /** By how much an earlier run moved the times. */
  get offsetMs(): number | undefined {
    return this.#offsetMs;
  }

  isDone({ path, sizeBytes, changedMs }: InputFile): boolean {
    const before = this.#done.get(resolve(path));
    return before?.sizeBytes === sizeBytes && before.changedMs === changedMs;
  }

  /** What is remembered of files that were done in earlier runs with records refused, but for those at `sentAgain`. */
  refusedBefore(sentAgain: ReadonlySet<string>): readonly Required<Pick<DoneFile, 'done' | 'reasons' | 'rejections'>>[] {
    const again = new Set(Array.from(sentAgain, (path) => resolve(path)));
    return [...this.#done.values()].flatMap(({ done, reasons, rejections = [] }) =>
      reasons === undefined || again.has(done) ? [] : [{ done, reasons, rejections }],
    );
  }

  async saveDone({ path, sizeBytes, changedMs }: InputFile, refused: Refusals): Promise<void> {
    if (path === '-') return;
    const rejections = refused.named.slice(0, Math.max(0, NAMED_MAX - this.#named));
    this.#named += rejections.length;
    const why = refused.count === 0 ? {} : { reasons: refused.reasons, rejections };
    await this.#append({ done: resolve(path), sizeBytes, changedMs, ...why });
  }

  async saveOffset(offsetMs: number): Promise<void> {
    if (this.#offsetMs === undefined) await this.#append({ offsetMs });
  }

  async #append(line: Line): Promise<void> {
    if (this.#path === undefined) return;
    const lines: readonly Line[] = this.#savedLog === undefined && this.#log !== undefined ? [{ log: this.#log }, line] : [line];
    await appendFile(this.#path, lines.map((each) => `${JSON.stringify(each)}\n`).join('')).catch((error: Error) => {
      throw new CommandFailed(EXIT.failed, `\`--resume ${this.#path}\` cannot be written: ${error.message}; make room and run this again`);
    });
    this.#savedLog ??= this.#log;
  }

  #read(text: string): void {
    const line = readLine(text);
    this.#offsetMs = line.offsetMs ?? this.#offsetMs;
    this.#savedLog = line.log ?? this.#savedLog;
    const { done, sizeBytes, changedMs } = line;
    if (done === undefined || sizeBytes === undefined || changedMs === undefined) return;
    this.#named += line.rejections?.length ?? 0;
    this.#done.set(done, { ...line, done, sizeBytes, changedMs });
  }
}

/** @throws UsageError when the file cannot be read, or is another kind of file: nothing is ever written into that. */
async function readResumeFile(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new UsageError(`\`--resume ${path}\` cannot be read: ${error.message}`);
  });
  // Told now, not after the first file was sent.
  await access(text === undefined ? dirname(path) : path, constants.W_OK).catch((error: Error) => {
    throw new UsageError(`\`--resume ${path}\` cannot be written: ${error.message}`);
  });
  if (text === undefined) return '';
  const isOurs = (line: string) => LINES.some((begin) => line.startsWith(begin) || begin.startsWith(line));
  if (text.split('\n').every(isOurs)) return text;
  throw new UsageError(`\`--resume ${path}\` holds something else than what an earlier run remembered; give a new file, which is made`);
}

/** Nothing when the line is half a line of a run that was killed. */
function readLine(text: string): Line {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return {};
  }
}
