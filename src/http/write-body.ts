/**
 * Writes bodies no faster than the client reads, and gives up on one that reads nothing (F52).
 */
import type { ServerResponse } from 'node:http';

/** The client closed the connection before it had its answer: its own affair, and nothing that went wrong here. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';
  constructor() {
    super('the client has gone');
  }
}

/** @throws ClientGone; Error when the client takes nothing for `timeoutMs`. */
export async function writeAll(response: ServerResponse, piece: Uint8Array | string, timeoutMs: number): Promise<void> {
  if (response.destroyed || response.closed) throw new ClientGone();
  if (response.write(piece)) return;
  await new Promise<void>((resolve, reject) => {
    const finish = (error?: Error): void => {
      clearTimeout(timer);
      response.off('drain', drained).off('close', closed);
      if (error === undefined) resolve();
      else reject(error);
    };
    const drained = (): void => finish();
    const closed = (): void => finish(new ClientGone());
    const timer = setTimeout(() => {
      response.destroy();
      finish(new Error(`the client read nothing for ${timeoutMs} ms`));
    }, timeoutMs);
    response.on('drain', drained).on('close', closed);
  });
}
