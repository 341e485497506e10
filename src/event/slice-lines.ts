/**
 * Cuts records out of lines: one record a line, blank lines skipped, LF or CRLF.
 *
 * A line is a record whatever is in it, so that one bad line costs only itself.
 */
import { RECORD_BYTES_MAX } from './limits.ts';
import { PendingBytes } from './pending-bytes.ts';
import type { PieceSlicer, RecordPiece } from './record-piece.ts';
import { trimWhiteSpace } from './white-space.ts';

const NEWLINE = 0x0a;

export class LineSlicer implements PieceSlicer {
  /** Lines that have begun, the present one included. */
  #line = 1;
  readonly #pending = new PendingBytes(RECORD_BYTES_MAX);

  push(chunk: Uint8Array, pieces: RecordPiece[]): void {
    let from = 0;
    for (let to = chunk.indexOf(NEWLINE); to !== -1; to = chunk.indexOf(NEWLINE, from)) {
      this.#pending.add(chunk.subarray(from, to));
      this.#endLine(pieces);
      this.#line++;
      from = to + 1;
    }
    this.#pending.add(chunk.subarray(from));
  }

  end(pieces: RecordPiece[]): void {
    this.#endLine(pieces);
  }

  #endLine(pieces: RecordPiece[]): void {
    const place = { unit: 'line', number: this.#line } as const;
    const sizeBytes = this.#pending.sizeBytes;
    const line = this.#pending.take();
    if (line === undefined) {
      const reason = `line ${this.#line} has ${sizeBytes} bytes; at most ${RECORD_BYTES_MAX} are accepted`;
      pieces.push({ kind: 'malformed', code: 'RecordTooLarge', reason, ...place });
      return;
    }
    const bytes = trimWhiteSpace(line);
    if (bytes.length > 0) pieces.push({ kind: 'record', bytes, ...place });
  }
}
