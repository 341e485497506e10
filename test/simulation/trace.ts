/**
 * What happened in a run, line by line: its hash tells whether two runs are one and the same, its end what led to a failure.
 */
import { createHash } from 'node:crypto';

/** Lines that a failure shows. */
const SHOWN_LINES = 60;

export class Trace {
  readonly #hash = createHash('sha256');
  readonly #isPrinted = process.env['SNOWTRAIL_TRACE'] === '1';
  #last: string[] = [];
  #lines = 0;

  add(line: string): void {
    this.#hash.update(`${line}\n`);
    this.#lines++;
    if (this.#isPrinted) process.stderr.write(`${line}\n`);
    if (line !== this.#last.at(-1)) this.#last.push(line);
    if (this.#last.length > 2 * SHOWN_LINES) this.#last = this.#last.slice(-SHOWN_LINES);
  }

  /** The newest lines, as text. */
  tail(): string {
    return this.#last.slice(-SHOWN_LINES).join('\n');
  }

  /** Hash of all lines, hexadecimal. The trace must not be added to afterwards. */
  digest(): string {
    return `${this.#lines}/${this.#hash.digest('hex')}`;
  }
}
