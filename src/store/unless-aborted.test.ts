/** Waits that a signal cuts short. */
import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { Aborted, unlessAborted } from './unless-aborted.ts';

describe('a wait that a signal may cut short', () => {
  it('gives what was waited for, or its error, and leaves nothing at the signal', async () => {
    const { signal } = new AbortController();
    expect(await unlessAborted(signal, Promise.resolve(1))).toBe(1);
    await expect(unlessAborted(signal, Promise.reject(new Error('refused')))).rejects.toThrow('refused');
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('ends when the signal comes first, and at once when it came before', async () => {
    const stop = new AbortController();
    const wait = unlessAborted(stop.signal, new Promise(() => undefined));
    stop.abort();
    await expect(wait).rejects.toThrow(Aborted);
    await expect(unlessAborted(stop.signal, new Promise(() => undefined))).rejects.toThrow(Aborted);
    expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
  });

  it('gives the error that comes after the end to nobody', async () => {
    const stop = new AbortController();
    stop.abort();
    let fail!: (error: Error) => void;
    const pending = new Promise<never>((_, reject) => {
      fail = reject;
    });
    await expect(unlessAborted(stop.signal, pending)).rejects.toThrow(Aborted);
    fail(new Error('late'));
    await new Promise((resolve) => setImmediate(resolve));
  });
});
