/**
 * The bulk endpoint: a stream of records in, a verdict line for each out.
 *
 * `POST /v1/events?source=record|import&createAccounts=true` takes lines of one record each, or `{"Records":[…]}`, told apart by
 * their beginning; with `form=lines` each line is a record, whatever the first one looks like. Records are accepted in batches as they arrive, so a submission of any length needs memory for one batch only, and the sender is
 * slowed down by the connection while a batch is made durable.
 *
 * A verdict line is `{"number":1,"status":"accepted","eventID":"…","sequence":"17"}`, with `"conflicting":true` where the id was
 * there with other bytes; `"repeated"` has the sequence of the first; `"rejected"` has `code` and `reason`. When the
 * journal stops taking events in the middle, or an account of them cannot be recorded in time, the last line has the status
 * `unavailable`: the rest was not read.
 */
import { ApiError } from '../api/api-error.ts';
import type { Call } from '../api/operation.ts';
import { type RecordPiece, RecordSlicer } from '../event/slice-records.ts';
import { JournalFull } from '../store/journal.ts';
import { type AcceptOptions, acceptEvents, type EventVerdict, type IntakeStores } from './accept-events.ts';

/** Records of one journal append. */
const BATCH_RECORDS = 500;
/** Bytes of one journal append. */
const BATCH_BYTES = 1024 * 1024;

export interface BulkOptions extends AcceptOptions {
  /** Absent: told by the beginning of the body. */
  readonly form?: 'lines';
}

/** Reads the options of a bulk request from its query. @throws ApiError `ValidationException`. */
export function bulkOptions(query: ReadonlyMap<string, string>, call: Call): BulkOptions {
  const source = query.get('source') ?? 'record';
  if (source !== 'record' && source !== 'import') {
    throw new ApiError('ValidationException', `source must be \`record\` or \`import\`, not \`${source.slice(0, 40)}\``);
  }
  const createAccounts = query.get('createAccounts') === 'true';
  if (createAccounts && !call.principal.isAdministrator) {
    throw new ApiError('AccessDeniedException', 'only the first account creates accounts; leave createAccounts away', { status: 403 });
  }
  const form = query.get('form');
  if (form !== undefined && form !== 'lines') {
    throw new ApiError('ValidationException', `form must be \`lines\`, or be left away, not \`${form.slice(0, 40)}\``);
  }
  return { source, createAccounts, ...(form && { form }) };
}

/**
 * Accepts a submission and yields its verdict lines, each ending in a newline, as batches become durable.
 * @throws JournalFull when not one batch was taken: the caller answers that the whole may be repeated.
 */
export async function* acceptBulk(
  stores: IntakeStores,
  call: Call,
  body: AsyncIterable<Uint8Array>,
  options: BulkOptions,
): AsyncGenerator<string, void, undefined> {
  const slicer = new RecordSlicer(options.form);
  let hasAnswered = false;
  const flush = async (pieces: readonly RecordPiece[]): Promise<string> => {
    const verdicts = await acceptEvents(stores, call, pieces, options);
    hasAnswered = true;
    return pieces.map((piece, index) => verdictLine(piece, verdicts[index]!)).join('');
  };
  try {
    let batch: RecordPiece[] = [];
    let batchBytes = 0;
    for await (const chunk of body) {
      for (const piece of slicer.push(chunk)) {
        batch.push(piece);
        batchBytes += piece.kind === 'record' ? piece.bytes.length : 0;
        if (batch.length < BATCH_RECORDS && batchBytes < BATCH_BYTES) continue;
        yield await flush(batch);
        batch = [];
        batchBytes = 0;
      }
    }
    batch.push(...slicer.end());
    if (batch.length > 0) yield await flush(batch);
  } catch (error) {
    // An account that the submission makes may not be recorded in time (docs/decisions/0004).
    const isPassing = error instanceof JournalFull || (error instanceof ApiError && error.status === 503);
    if (!isPassing || !hasAnswered) throw error;
    yield `${JSON.stringify({ status: 'unavailable', reason: `${error.message}; send the rest again later` })}\n`;
  }
}

function verdictLine(piece: RecordPiece, verdict: EventVerdict): string {
  const number = piece.number;
  switch (verdict.status) {
    case 'accepted':
      return `${JSON.stringify({
        number,
        status: 'accepted',
        eventID: verdict.eventId,
        sequence: String(verdict.sequence),
        ...(verdict.isConflicting ? { conflicting: true } : {}),
      })}\n`;
    case 'repeated':
      return `${JSON.stringify({ number, status: 'repeated', eventID: verdict.eventId, sequence: String(verdict.sequence) })}\n`;
    case 'rejected':
      return `${JSON.stringify({ number, status: 'rejected', code: verdict.code, reason: verdict.reason })}\n`;
  }
}
