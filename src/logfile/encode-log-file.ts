/**
 * The body of a log file: `{"Records":[…]}` around records whose bytes stay as they were received.
 *
 * Nothing is parsed and nothing is re-serialised, so a record in a file is byte-equal to the one in the journal.
 * Relies on each record being one JSON object, as `parseEvent` has checked.
 * Source: cloudtrail.md §1 and §2.2 (at most 50 MB uncompressed; empty files are not written).
 */

/** Most bytes of one uncompressed log file: 50 MB, read as the smaller of the two that "MB" may mean. */
const LOG_FILE_BYTES_MAX = 50_000_000;

const START = new TextEncoder().encode('{"Records":[');
const END = new TextEncoder().encode(']}');
const COMMA = 0x2c;

/** The uncompressed body that holds the records in their order. Give at least one. */
export function encodeLogFile(records: readonly Uint8Array[]): Uint8Array {
  const body = new Uint8Array(logFileSize(records));
  body.set(START);
  let at = START.length;
  records.forEach((record, index) => {
    if (index > 0) body[at++] = COMMA;
    body.set(record, at);
    at += record.length;
  });
  body.set(END, at);
  return body;
}

/**
 * Cuts the records into runs that each fit into one log file, in order and as few as possible.
 *
 * @param bytesMax Most bytes of one file's body. A single record that needs more is in a run of its own.
 * @returns no runs for no records.
 */
export function splitRecords(records: readonly Uint8Array[], bytesMax: number = LOG_FILE_BYTES_MAX): (readonly Uint8Array[])[] {
  const runs: Uint8Array[][] = [];
  let run: Uint8Array[] = [];
  let sizeBytes = START.length + END.length;
  for (const record of records) {
    const grown = sizeBytes + record.length + (run.length === 0 ? 0 : 1);
    if (run.length > 0 && grown > bytesMax) {
      runs.push(run);
      run = [];
      sizeBytes = START.length + END.length;
    }
    sizeBytes += record.length + (run.length === 0 ? 0 : 1);
    run.push(record);
  }
  if (run.length > 0) runs.push(run);
  return runs;
}

function logFileSize(records: readonly Uint8Array[]): number {
  const commas = Math.max(records.length - 1, 0);
  return records.reduce((sum, record) => sum + record.length, START.length + END.length + commas);
}
