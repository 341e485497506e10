/**
 * A sweep that is ended goes on where it was.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { SweepStep } from '../support/sweep.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'snowtrail-sweep-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

/** The steps of a part in a new process with this environment, up to one that fails. */
async function run(
  environment: Readonly<Record<string, string>>,
  failsAt = Number.POSITIVE_INFINITY,
  options?: { readonly checkedEvery: number; readonly totals: { steps: number } },
): Promise<readonly SweepStep[]> {
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  vi.resetModules();
  const { sweepSteps } = await import('../support/sweep.ts');
  const seen: SweepStep[] = [];
  for (const step of sweepSteps('part', 10, options)) {
    if (step.index === failsAt) break;
    seen.push(step);
    if (options !== undefined) options.totals.steps += 1;
  }
  return seen;
}

describe('a part of a sweep', () => {
  test('goes on after its last step that passed, with the seeds that it would have had', async () => {
    const whole = await run({ SNOWTRAIL_SEED: '7' });
    expect(whole.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(new Set(whole.map(({ seed }) => seed)).size).toBe(10);
    const first = await run({ SNOWTRAIL_SEED: '7', SNOWTRAIL_PROGRESS: folder }, 4);
    const rest = await run({ SNOWTRAIL_SEED: '8', SNOWTRAIL_PROGRESS: folder });
    expect([...first, ...rest]).toEqual(whole);
    expect(await run({ SNOWTRAIL_PROGRESS: folder })).toEqual([]);
  });

  test('counts a step as done only when its check has passed, and keeps what was counted up to then', async () => {
    const options = { checkedEvery: 4, totals: { steps: 0 } };
    expect(await run({ SNOWTRAIL_SEED: '7', SNOWTRAIL_PROGRESS: folder }, 6, options)).toHaveLength(6);
    const again = { checkedEvery: 4, totals: { steps: 0 } };
    const rest = await run({ SNOWTRAIL_PROGRESS: folder }, Number.POSITIVE_INFINITY, again);
    expect(rest.map(({ index }) => index)).toEqual([4, 5, 6, 7, 8, 9]);
    expect(again.totals).toEqual({ steps: 10 });
    const nothing = { checkedEvery: 4, totals: { steps: 0 } };
    expect(await run({ SNOWTRAIL_PROGRESS: folder }, Number.POSITIVE_INFINITY, nothing)).toEqual([]);
    expect(nothing.totals).toEqual({ steps: 10 });
  });

  test('begins anew when nothing is noted, and another seed gives other steps', async () => {
    expect(await run({ SNOWTRAIL_SEED: '7' }, 4)).toHaveLength(4);
    const again = await run({ SNOWTRAIL_SEED: '7' });
    expect(again).toHaveLength(10);
    expect(await run({ SNOWTRAIL_SEED: '8' })).not.toEqual(again);
  });
});
