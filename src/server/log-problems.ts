/**
 * Puts what went wrong in a running server into words for its log.
 */
import { formatEventTime } from '../event/times.ts';
import type { HttpProblem } from '../http/ports.ts';
import type { ScrubFinding } from '../trail/create-trails.ts';
import type { ScrubProblem } from './scrub-journal.ts';

/** Where the server says what happened. Never given a secret. */
export interface ServerLog {
  info(message: string, details?: object): void;
  warn(message: string, details?: object): void;
  error(message: string, details?: object): void;
}

export function reportHttp(log: ServerLog, problem: HttpProblem): void {
  switch (problem.kind) {
    case 'signature-refused':
      log.warn(`a signature was refused: ${problem.code}`, { requestId: problem.requestId, from: problem.sourceIpAddress });
      break;
    case 'accept-failed':
      log.error(`a connection could not be accepted: ${messageOf(problem.error)}`);
      break;
    case 'internal':
      log.error(`request ${problem.requestId} failed: ${messageOf(problem.error)}`, { stack: stackOf(problem.error) });
      break;
    case 'read-not-recorded':
    case 'refusal-not-recorded':
      log.error(`the record of ${problem.eventName} could not be made durable: ${messageOf(problem.error)}`, {
        requestId: problem.requestId,
      });
      break;
  }
}

export function reportScrub(log: ServerLog, problem: ScrubProblem): void {
  if (problem.kind === 'failed') {
    log.error(`the journal could not be looked through for damage: ${messageOf(problem.error)}`);
    return;
  }
  const { from, to, file, reason } = problem.damage;
  log.error(`journal entries ${from} to ${to} are damaged: ${file}: ${reason}; see \`snowtrail doctor\``);
}

export function reportLost(log: ServerLog, found: ScrubFinding): void {
  if (found.outcome === 'failed') {
    log.warn(`the bucket of ${found.trail} could not be looked at: ${messageOf(found.error)}`);
    return;
  }
  const path = `${found.bucket}/${found.key}`;
  if (found.outcome === 'bucket-gone' || found.outcome === 'newest-receipt-gone') {
    const what = found.outcome === 'bucket-gone' ? `the bucket \`${found.bucket}\`` : `the newest receipt \`${path}\``;
    log.error(`${what} of ${found.trail} is gone; it was there at ${formatEventTime(found.thereAtMs)}: see \`snowtrail doctor\``);
    return;
  }
  const said = {
    'put-again': 'was gone and is put again',
    gone: 'is gone and cannot be made again',
    differs: 'has another size than its receipt says',
  }[found.outcome];
  log.error(`\`${path}\` of ${found.trail} ${said}; see \`snowtrail verify\``);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined;
}
