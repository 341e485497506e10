/**
 * Writes bodies no faster than the client reads, and gives up on one that reads nothing (F52).
 */
import type { ServerResponse } from 'node:http';

/** @throws Error when the client has gone, or takes nothing for `timeoutMs`. */
export async function writeAll(response: ServerResponse, piece: Uint8Array | string, timeoutMs: number): Promise<void> {
  if (response.destroyed || response.closed) throw new Error('the client has gone');
  if (response.write(piece)) return;
  await new Promise<void>((resolve, reject) => {
    const finish = (error?: Error): void => {
      clearTimeout(timer);
      response.off('drain', drained).off('close', closed);
      if (error === undefined) resolve();
      else reject(error);
    };
    const drained = (): void => finish();
    const closed = (): void => finish(new Error('the client has gone'));
    const timer = setTimeout(() => {
      response.destroy();
      finish(new Error(`the client read nothing for ${timeoutMs} ms`));
    }, timeoutMs);
    response.on('drain', drained).on('close', closed);
  });
}
