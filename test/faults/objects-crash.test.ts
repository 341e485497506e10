/**
 * The disk store of objects is killed at chosen system calls, and opened again.
 *
 * What was answered is there, whole; what was under way is there whole or not at all; files and index agree, and nothing
 * is left over. Then the store goes on. reliability.md F02, F03; P5. `sweep.ts` says how many points.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BucketName, ObjectKey } from '../../src/event/types.ts';
import { createSystemChance } from '../../src/store/disk/chance.ts';
import { createSystemClock } from '../../src/store/disk/clock.ts';
import { openDiskObjects } from '../../src/store/disk/objects/disk-objects.ts';
import type { Objects } from '../../src/store/objects.ts';
import { bucketOf, readBody } from '../stores/objects.contract.ts';
import { DATA_KEY, KEYS, operationsOf, PLAIN, sealed, VERSIONED } from '../support/objects-operations.ts';
import { hasCommands } from '../support/start-tool.ts';
import { IS_SWEEP, sweepSteps } from '../support/sweep.ts';

const POINTS = IS_SWEEP ? 400 : 32;
const CALLS = ['rename', 'link', 'unlink', 'rmdir', 'mkdir', 'fdatasync', 'fsync', 'pwrite64', 'write'];
const OPERATIONS = 60;
const hasStrace = hasCommands(['strace'], 'install the Debian package `strace` to kill the store at a system call');

describe.skipIf(!hasStrace)('the disk store of objects, killed at a system call', () => {
  let root: string;
  let scripts: string;
  let script: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'snowtrail-objects-crash-'));
    // Inside the checkout, so that packages are found.
    scripts = await mkdtemp(join('node_modules', '.snowtrail-test-'));
    script = join(scripts, 'child.mjs');
    const shape = { bundle: true, platform: 'node', format: 'esm', packages: 'external', logLevel: 'warning' } as const;
    await build({ ...shape, entryPoints: ['test/support/objects-child.ts'], outfile: script });
  });
  afterAll(async () => {
    await rm(root, { recursive: true, force: true });
    await rm(scripts, { recursive: true, force: true });
  });

  const open = async (folder: string, isSealed: boolean): Promise<Objects> => {
    const disk = await openDiskObjects({ folder, clock: createSystemClock(), chance: createSystemChance() });
    return isSealed ? sealed(disk) : disk;
  };

  /** Runs the child; gives the operations that it began, and those that it was answered. */
  async function runChild(
    folder: string,
    seed: number,
    inject: string,
    { isSealed, count = OPERATIONS }: { readonly isSealed: boolean; readonly count?: number },
  ): Promise<{ tried: Set<number>; done: Set<number>; isKilled: boolean }> {
    const child = [process.execPath, script, folder, String(seed), String(count), isSealed ? 'sealed' : 'plain'];
    const call = inject.split(':')[0];
    const traced = ['strace', '-f', '-qq', '-o', '/dev/null', '-e', `trace=${call}`, '-e', `inject=${inject}`, ...child];
    const running = spawn(traced[0]!, traced.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    running.stdout.on('data', (piece: Buffer) => {
      output += piece.toString();
    });
    await once(running, 'close');
    const numbers = (word: string) => new Set([...output.matchAll(new RegExp(`^${word} (\\d+)$`, 'gm'))].map(([, index]) => Number(index)));
    return { tried: numbers('try'), done: numbers('done'), isKilled: !output.endsWith('closed\n') };
  }

  /** Texts that were put at a key, newest first; `null` for a deletion. */
  async function historyOf(objects: Objects, bucket: BucketName, key: ObjectKey): Promise<(string | null)[]> {
    const { versions } = await objects.listVersions(bucket, { prefix: key, limit: 1_000 });
    const mine = versions.filter((each) => each.key === key);
    return Promise.all(
      mine.map(async ({ versionId, isDeleteMarker }) => {
        if (isDeleteMarker) return null;
        const found = await objects.get(bucket, key, { versionId: versionId ?? 'null' });
        expect(found, `a version of ${bucket}/${key} has no file`).toBeDefined();
        return Buffer.from(await readBody(found!.body)).toString();
      }),
    );
  }

  /** Every key is as its answered operations leave it, or as the one that was under way leaves it. */
  async function check(objects: Objects, folder: string, seed: number, tried: Set<number>, done: Set<number>): Promise<void> {
    const operations = operationsOf(seed, OPERATIONS);
    for (const { bucket, key } of KEYS) {
      const of = (indices: Set<number>) =>
        operations.flatMap((each, index) => (each.bucket === bucket && each.key === key && indices.has(index) ? [each.text ?? null] : []));
      const left = (texts: readonly (string | null)[]) => {
        if (bucket === VERSIONED) return texts.toReversed();
        const last = texts.at(-1) ?? null;
        return last === null ? [] : [last];
      };
      const found = await historyOf(objects, bucket as BucketName, key as ObjectKey);
      expect(
        [left(of(done)), left(of(tried))].map((texts) => JSON.stringify(texts)),
        `${bucket}/${key} (seed ${seed}; done ${JSON.stringify(left(of(done)).map(short))}, tried ${JSON.stringify(left(of(tried)).map(short))}, found ${JSON.stringify(found.map(short))})`,
      ).toContain(JSON.stringify(found));
    }
    for (const bucket of [PLAIN, VERSIONED]) {
      const { objects: current } = await objects.list(bucket as BucketName, { limit: 1_000 });
      expect(countFiles(join(folder, bucket)), `files in ${bucket}`).toBe(current.length);
    }
    const { versions } = await objects.listVersions(VERSIONED as BucketName, { limit: 1_000 });
    const old = versions.filter(({ isLatest, isDeleteMarker }) => !isLatest && !isDeleteMarker);
    expect(countFiles(join(folder, '.snowtrail/versions')), 'files of old versions').toBe(old.length);
    expect(readdirSync(join(folder, '.snowtrail/staged'))).toEqual([]);
  }

  const kinds = [
    { what: 'plain objects', name: 'object-store-points', points: POINTS, isSealed: false },
    { what: 'encrypted objects', name: 'sealed-object-points', points: POINTS / 4, isSealed: true },
  ];
  test.each(kinds)('keeps what it answered of $what, at $points points (F02, F03)', async ({ name, points: count, isSealed }) => {
    const totals = { points: 0, killed: 0 };
    const put = isSealed ? { dataKey: DATA_KEY } : {};
    for (const { index: point, seed } of sweepSteps(name, count, { totals })) {
      totals.points += 1;
      const folder = join(root, `${name}-${point}`);
      const fresh = await open(folder, isSealed);
      await fresh.createBucket(bucketOf(PLAIN));
      await fresh.createBucket(bucketOf(VERSIONED));
      await fresh.updateBucket(VERSIONED as BucketName, { versioning: 'Enabled' });
      await fresh.close();

      // Calls are counted by thread, as strace does.
      const call = CALLS[point % CALLS.length]!;
      const when = 1 + ((Math.floor(point / CALLS.length) * 3 + point) % 17);
      const run = await runChild(folder, seed, `${call}:signal=SIGKILL:when=${when}`, { isSealed });
      if (run.isKilled) totals.killed += 1;
      // Killed while it recovers as well, three times in a row (F03).
      for (const again of [1, 1, 2]) await runChild(folder, seed, `${call}:signal=SIGKILL:when=${again}`, { isSealed, count: 0 });
      const objects = await open(folder, isSealed);
      try {
        await check(objects, folder, seed, run.tried, run.done);
        for (const { bucket, key } of KEYS) {
          await objects.put(bucket as BucketName, key as ObjectKey, new TextEncoder().encode('after'), put);
          const [newest] = await historyOf(objects, bucket as BucketName, key as ObjectKey);
          expect(newest).toBe('after');
        }
      } finally {
        await objects.close();
      }
    }
    const { points, killed } = totals;
    console.log(`killed in ${killed} of ${points} runs`);
    expect(killed).toBeGreaterThanOrEqual(points / 3);
  });
});

/** The beginning of a text, for a message. */
function short(text: string | null): string | null {
  return text === null ? null : text.slice(0, 6);
}

function countFiles(path: string): number {
  if (!existsSync(path)) return 0;
  return readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;
}
