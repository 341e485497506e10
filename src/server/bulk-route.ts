/**
 * The route of bulk submissions: lines in, a verdict for each out, while they come.
 */
import { ApiError } from '../api/api-error.ts';
import type { StreamRoute } from '../http/ports.ts';
import { acceptBulk, bulkOptions } from '../intake/bulk-events.ts';
import { JournalFull, JournalReadOnly } from '../store/journal.ts';

export function bulkRoute(intake: Parameters<typeof acceptBulk>[0]): StreamRoute {
  return {
    eventName: 'SubmitEvents',
    bodyBytesMax: 64 * 1024 * 1024,
    handle: async ({ call, query, body, answer }) => {
      const lines = acceptBulk(intake, call, body, bulkOptions(query, call));
      // The first verdicts decide the status: a full journal is a refusal of the whole.
      const first = await lines.next().catch(refuseWhenFull);
      answer.start(200, { 'content-type': 'application/x-ndjson' });
      if (!first.done) await answer.write(first.value);
      for await (const line of lines) await answer.write(line);
    },
  };
}

/** Nothing of the submission was taken: the sender may repeat the whole of it later (P9). */
function refuseWhenFull(error: unknown): never {
  // Repeating it changes nothing until an operator has been here.
  if (error instanceof JournalReadOnly)
    throw new ApiError('ConflictException', `no event is taken: ${error.message}`, { status: 409, cause: error });
  if (!(error instanceof JournalFull)) throw error;
  throw new ApiError('ThrottlingException', `no event can be taken at the moment: ${error.message}; send it again later`, {
    status: 503,
    cause: error,
  });
}
