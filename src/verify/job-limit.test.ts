import { describe, expect, test } from 'vitest';
import { inOrder, JobLimit } from './job-limit.ts';

describe('JobLimit', () => {
  test('runs no more than its jobs and bytes at once, and everything in the end', async () => {
    const limit = new JobLimit(3, 100);
    let running = 0;
    let bytes = 0;
    const most = { running: 0, bytes: 0, done: 0 };
    for (let index = 0; index < 50; index++) {
      await limit.add(60, async () => {
        most.running = Math.max(most.running, ++running);
        bytes += 60;
        most.bytes = Math.max(most.bytes, bytes);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        bytes -= 60;
        most.done++;
      });
    }
    await limit.done();
    expect(most).toEqual({ running: 1, bytes: 60, done: 50 });
  });

  test('hands a failure to whoever waits for the end', async () => {
    const limit = new JobLimit(2, 100);
    await limit.add(1, async () => {
      throw new Error('failed');
    });
    await expect(limit.done()).rejects.toThrow('failed');
  });

  test('inOrder reads ahead and keeps the order', async () => {
    const results: number[] = [];
    let started = 0;
    const double = async (number: number) => {
      started++;
      for (let turn = 10; turn > number; turn--) await Promise.resolve();
      return 2 * number;
    };
    for await (const result of inOrder([1, 2, 3, 4, 5, 6], 3, double)) {
      expect(started).toBeLessThanOrEqual(results.length + 3);
      results.push(result);
    }
    expect(results).toEqual([2, 4, 6, 8, 10, 12]);
  });
});
