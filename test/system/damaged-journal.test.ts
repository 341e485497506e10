/**
 * A byte of the journal was changed while the server stood still: everybody who is asked about evidence says so.
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { runCli } from '../support/run-cli.ts';
import { startServer } from '../support/start-server.ts';

const ACCOUNT = '123837392027';
const root = await mkdtemp(join(tmpdir(), 'snowtrail-damaged-'));
afterAll(() => rm(root, { recursive: true, force: true }));

test('verify, doctor, readiness and look-ups name a damaged entry of a server that runs, and events are taken all the same (F08, F09)', async () => {
  const dataDir = join(root, 'data');
  const records = join(root, 'records.ndjson');
  const record = (id: string) =>
    JSON.stringify({
      eventID: id,
      eventTime: new Date().toISOString(),
      eventName: 'A',
      eventSource: 'b.amazonaws.com',
      awsRegion: 'us-east-1',
    });
  await writeFile(records, Array.from({ length: 100 }, (_, place) => record(`event-${place}`)).join('\n'));
  const first = await startServer({ dataDir, flags: ['--account-id', ACCOUNT] });
  expect((await runCli(['record', records, '--data-dir', dataDir])).exitCode).toBe(0);
  await first.kill();

  const journal = join(dataDir, 'journal');
  const [log] = (await readdir(journal)).filter((name) => name.endsWith('.log'));
  const bytes = await readFile(join(journal, log!));
  const at = bytes.indexOf('"event-50"');
  bytes[at + 1]! ^= 1;
  await writeFile(join(journal, log!), bytes);

  const second = await startServer({ dataDir });
  try {
    const [verify, doctor, ready] = await Promise.all([
      runCli(['verify', '--data-dir', dataDir]),
      runCli(['doctor', '--data-dir', dataDir, '-o', 'table']),
      fetch(`${second.url}/readyz`).then(async (answer) => `${answer.status} ${await answer.text()}`),
    ]);
    expect([verify.exitCode, verify.stderr + verify.text]).toEqual([
      1,
      expect.stringMatching(/journal entries \d+ to \d+ cannot be read: .*\.log/),
    ]);
    expect([doctor.exitCode, doctor.stderr]).toEqual([1, expect.stringMatching(/journal entries \d+ to \d+ cannot be read/)]);
    expect(ready).toMatch(/^503 not ready\n.*entries \d+ to \d+ are damaged/s);
    await writeFile(records, record('event-new'));
    const more = await runCli(['record', records, '--data-dir', dataDir]);
    expect([more.exitCode, more.text]).toEqual([0, expect.stringContaining('"accepted":1')]);
  } finally {
    await second.stop();
  }
});
