/**
 * `snowtrail demo`: the sample incident is there to be found, and the week of digests verifies.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CliRun, runCli } from '../support/run-cli.ts';
import { SNOWTRAIL, type StartedServer, startServer } from '../support/start-server.ts';

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
    expect([who.exitCode, who.stderr]).toEqual([0, '']);
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

  test('a trail is verified by its name or ARN, though other accounts have none of that name', async () => {
    const arn = 'arn:aws:cloudtrail:us-east-1:111111111111:trail/main';
    const runs = await Promise.all(['main', arn, 'mian'].map((name) => runCli(['verify', name, '--data-dir', dataDir])));
    expect(runs.map(({ exitCode }) => exitCode)).toEqual([0, 0, 2]);
    expect(runs[2]!.stderr).toBe('snowtrail: no trail that the key may see is called `mian`; `snowtrail trails list` names them\n');
  });

  test('a folder is told from a trail by `./`, or by `--offline`', async () => {
    const cwd = join(dataDir, 'objects');
    const [online, offline] = await Promise.all([
      runCli(['verify', 'demo-trail', '--data-dir', dataDir], { cwd }),
      runCli(['verify', 'demo-trail', '--offline', '--from', '-7d'], { cwd }),
    ]);
    expect([online.exitCode, online.stderr]).toEqual([2, expect.stringContaining('write ./demo-trail to verify the folder')]);
    expect([offline.exitCode, offline.text]).toEqual([2, expect.stringContaining('no key to hold it against')]);
  });

  test('a reader that leaves early ends `verify` quietly, and changes nothing of its verdict', async () => {
    const child = spawn(process.execPath, [SNOWTRAIL, 'verify', join(dataDir, 'objects/demo-trail'), '--offline', '--verbose']);
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.stdout.destroy();
    const [exitCode] = await once(child, 'close');
    expect([exitCode, stderr]).toEqual([2, '']);
  });

  test('leaves a folder alone that a server runs on', async () => {
    const again = await runCli(['demo', '--once', '--listen', '127.0.0.1:0', '--data-dir', dataDir]);
    expect([again.exitCode, again.text]).toEqual([1, '']);
    expect(again.stderr).toMatch(/snowtrail-demo` is in use by process [0-9]+; stop it first/);
    expect((await runCli(['verify', '--data-dir', dataDir])).exitCode).toBe(0);
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

  test('a start that names another first account than the folder has is refused', async () => {
    await server?.stop();
    server = undefined;
    const start = await runCli(['start', '--data-dir', dataDir, '--listen', '127.0.0.1:0', '--account-id', '222222222222']);
    expect([start.exitCode, start.text]).toEqual([1, '']);
    expect(start.stderr).toContain(
      'was begun with 111111111111 as its first account, which cannot become 222222222222; leave --account-id out',
    );
  });
});
