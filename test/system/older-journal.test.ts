/**
 * A copy of the journal from before is put back, and not of the rest (F46): the server says so, serves what is there, and takes,
 * signs and delivers nothing until the newest copy is back.
 */
import { createHash } from 'node:crypto';
import { cp, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { runCli } from '../support/run-cli.ts';
import { startServer } from '../support/start-server.ts';

const root = await mkdtemp(join(tmpdir(), 'snowtrail-older-'));
afterAll(() => rm(root, { recursive: true, force: true }));

const dataDir = join(root, 'data');
const journal = join(dataDir, 'journal');

/** Submits events with these ids; `ID@REGION` is one of that Region. */
async function record(...ids: readonly string[]) {
  const eventTime = new Date().toISOString();
  const lines = ids.map((id) => {
    const [eventID, awsRegion = 'us-east-1'] = id.split('@');
    return JSON.stringify({ eventID, eventTime, eventName: 'A', eventSource: 'b.amazonaws.com', awsRegion });
  });
  await writeFile(join(root, 'records.ndjson'), lines.join('\n'));
  return runCli(['record', join(root, 'records.ndjson'), '--data-dir', dataDir]);
}

/** What the catalog and the index of history have on disk, by file. */
async function keptFiles(): Promise<readonly (readonly [string, string])[]> {
  const hash = async (path: string) =>
    createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
  const paths = ['catalog', 'history'].map(async (folder) =>
    (await readdir(join(dataDir, folder))).map((name) => join(dataDir, folder, name)),
  );
  const files = (await Promise.all(paths)).flat().filter((path) => !path.endsWith('lock.mdb'));
  return Promise.all(files.sort().map(async (path) => [path, await hash(path)] as const));
}

async function foundIds(): Promise<readonly string[]> {
  const { text } = await runCli(['events', 'name:A', '--limit', '0', '-o', 'ndjson', '--data-dir', dataDir]);
  return [...text.matchAll(/"EventId":"([\w-]+)"/g)].map(([, id]) => id!).sort();
}

test('a journal older than the catalog is only read, and all goes on once the newest copy is back (F46)', async () => {
  const first = await startServer({ dataDir });
  expect((await record('early-1', 'early-2')).exitCode).toBe(0);
  await first.stop();
  await cp(journal, join(root, 'older'), { recursive: true });

  const second = await startServer({ dataDir });
  expect((await record('late-1', 'late-2', 'late-3')).exitCode).toBe(0);
  await vi.waitFor(async () => expect(await foundIds()).toHaveLength(5), { timeout: 20_000, interval: 200 });
  await second.stop();
  await rename(journal, join(root, 'newest'));
  await rename(join(root, 'older'), journal);

  const kept = await keptFiles();
  const third = await startServer({ dataDir });
  try {
    const ready = await fetch(`${third.url}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([
      503,
      expect.stringMatching(/journal holds \d+ entries, and .*Put back the newest copy/),
    ]);
    const refused = await record('new-1', 'new-2@eu-west-3');
    expect([refused.exitCode, refused.stderr]).toEqual([1, expect.stringMatching(/no event is taken: the journal holds \d+ entries/)]);
    await vi.waitFor(async () => expect(await foundIds()).toEqual(['early-1', 'early-2']), { timeout: 20_000, interval: 200 });
    const doctor = await runCli(['doctor', '--data-dir', dataDir]);
    expect([doctor.exitCode, doctor.stderr]).toEqual([1, expect.stringContaining('put back the newest copy of the whole data directory')]);
    expect((await runCli(['verify', '--data-dir', dataDir])).exitCode).not.toBe(0);
  } finally {
    expect(await third.stop()).toBe(0);
  }
  // What was counted, indexed and noted beside the newest copy is still that copy's.
  expect(await keptFiles()).toEqual(kept);

  await rm(journal, { recursive: true });
  await rename(join(root, 'newest'), journal);
  const fourth = await startServer({ dataDir });
  try {
    expect((await record('new-1')).exitCode).toBe(0);
    await vi.waitFor(async () => expect(await foundIds()).toEqual(['early-1', 'early-2', 'late-1', 'late-2', 'late-3', 'new-1']), {
      timeout: 20_000,
      interval: 200,
    });
    expect((await runCli(['doctor', '--data-dir', dataDir])).exitCode).toBe(0);
  } finally {
    await fourth.stop();
  }
}, 180_000);
