/**
 * Waits for work no longer than a signal allows, and leaves nothing behind at the signal, which may live as long as the process.
 *
 * `Promise.race` with a promise that stays pending, and `AbortSignal.any` with a signal that lives on, keep something for each call.
 */

/** The wait was cut short. What was waited for goes on by itself. */
export class Aborted extends Error {
  override readonly name = 'Aborted';
}

/** What `pending` gives. @throws Aborted when the signal comes first, and whatever `pending` throws. */
export async function unlessAborted<T>(signal: AbortSignal, pending: Promise<T>): Promise<T> {
  let end!: () => void;
  const ended = new Promise<never>((_, reject) => {
    end = () => reject(new Aborted('the wait was cut short'));
  });
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  try {
    return await Promise.race([pending, ended]);
  } finally {
    signal.removeEventListener('abort', end);
  }
}
