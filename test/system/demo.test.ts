/**
 * `snowtrail demo`: the sample incident is there to be found, and the week of digests verifies.
 */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CliRun, runCli } from '../support/run-cli.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';

describe('snowtrail demo', () => {
  let folder: string;
  let dataDir: string;
  let demo: CliRun;
  let server: StartedServer | undefined;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'snowtrail-demo-test-'));
    dataDir = join(folder, 'snowtrail-demo');
    demo = await runCli(['demo', '--no-open', '--once', '--events', '3000', '--listen', '127.0.0.1:0', '--data-dir', dataDir]);
  });

  afterAll(async () => {
    await server?.stop();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  test('prints its three steps and what to try, and ends without a terminal', () => {
    expect(demo.stderr).toBe('');
    expect(demo.exitCode).toBe(0);
    const steps = demo.text.split('\n').filter((line) => line.includes('✔'));
    expect(steps.map((line) => line.replace(/ +[0-9.]+ s$/, '').trim())).toEqual([
      '✔ key, trail and bucket ready',
      '✔ 3,008 sample events, 3 accounts, 90 days (one incident)',
      '✔ 168 digests signed (last 7 days), chain verified',
    ]);
    expect(demo.text).toContain(`who blizzard-exports --write --data-dir ${dataDir}`);
  });

  test('leaves a folder that answers who made the bucket public, and that verifies from another process', async () => {
    server = await startServer({ dataDir });
    const who = await runCli(['who', 'blizzard-exports', '--write', '--account', '333333333333', '--data-dir', dataDir, '-o', 'json']);
    expect(who.exitCode).toBe(0);
    expect(who.text).toContain('DeleteBucketPublicAccessBlock');
    expect(who.text).toContain('PutBucketPolicy');
    const listed = await runCli(['events', '--limit', '0', '--data-dir', dataDir, '-o', 'ndjson']);
    const events = listed.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { EventTime: string; EventSource: string; IsEventTimeSuspicious: boolean });
    const times = events.filter((event) => event.EventSource !== 'snowtrail.amazonaws.com').map(({ EventTime }) => Date.parse(EventTime));
    expect(times.length).toBeGreaterThan(3_000);
    expect(events.filter((event) => event.IsEventTimeSuspicious)).toEqual([]);
    expect(times).toEqual([...times].sort((a, b) => b - a));
    const verified = await runCli(['verify', '--data-dir', dataDir, '-o', 'json']);
    expect(JSON.parse(verified.text)).toMatchObject({ verdict: 'consistent', counts: { digest: { valid: 168 } } });
  });

  test('what it says to try works once the server is started as it says', async () => {
    expect(demo.text).not.toContain('q to quit');
    expect(demo.text).toContain(`start --data-dir ${dataDir}`);
    const commands = [...demo.text.matchAll(/snowtrail ((?:who|events|verify|doctor) [^"\n]*)/g)].map(([, words]) =>
      words!.trim().split(' '),
    );
    expect(commands.map(([name]) => name)).toEqual(['who', 'events', 'verify', 'doctor']);
    for (const words of commands) expect((await runCli(words)).exitCode, words.join(' ')).toBe(0);
  });

  test('makes its own folder anew, and leaves any other alone', async () => {
    const other = join(folder, 'other');
    await writeFile(other, 'mine');
    const refused = await runCli(['demo', '--once', '--data-dir', other]);
    expect(refused.exitCode).toBe(64);
    expect(refused.stderr).toContain('Choose another --data-dir');
    expect((await readdir(folder)).sort()).toEqual(['other', 'snowtrail-demo']);
  });
});
