/**
 * A byte of the journal was changed while the server stood still: everybody who is asked about evidence says so.
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CloudTrailClient, LookupEventsCommand } from '@aws-sdk/client-cloudtrail';
import { afterAll, expect, test, vi } from 'vitest';
import { runCli } from '../support/run-cli.ts';
import { startServer } from '../support/start-server.ts';

const ACCOUNT = '123837392027';
const root = await mkdtemp(join(tmpdir(), 'snowtrail-damaged-'));
afterAll(() => rm(root, { recursive: true, force: true }));

/** All events of the test, once history has caught up with the last one. */
function findAll(dataDir: string) {
  return vi.waitFor(
    async () => {
      const found = await runCli(['events', 'name:A', '--limit', '0', '-o', 'ndjson', '--data-dir', dataDir]);
      expect(idsOf(found)).toContain('event-new');
      return found;
    },
    { timeout: 20_000, interval: 200 },
  );
}

function idsOf({ text }: { readonly text: string }): readonly string[] {
  return [...text.matchAll(/"EventId":"(event-\w+)"/g)].map(([, id]) => id!);
}

test('everybody who is asked names a damaged entry, the rest is found and more events are taken; a whole copy of the segment mends it (P8, F08, F09)', async () => {
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
  const whole = await readFile(join(journal, log!));
  const damaged = Buffer.from(whole);
  const at = damaged.indexOf('"event-50"');
  damaged[at + 1]! ^= 1;
  await writeFile(join(journal, log!), damaged);

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
    expect(second.stderr()).toMatch(/journal entries \d+ to \d+ are damaged: .*\.log: /);
    expect(ready).toMatch(/^503 not ready\n.*entries \d+ to \d+ are damaged/s);
    await writeFile(records, record('event-new'));
    const more = await runCli(['record', records, '--data-dir', dataDir]);
    expect([more.exitCode, more.text]).toEqual([0, expect.stringContaining('"accepted":1')]);

    const found = await findAll(dataDir);
    expect([found.exitCode, found.stderr]).toEqual([4, expect.stringMatching(/journal entries (\d+) are damaged and may be missing here/)]);
    expect(idsOf(found)).toHaveLength(100);
    expect(idsOf(found)).not.toContain('event-50');
    const { secretAccessKey, accessKeyId } = JSON.parse(await readFile(join(dataDir, 'access-keys', `${ACCOUNT}.json`), 'utf8'));
    const client = new CloudTrailClient({ endpoint: second.url, region: 'us-east-1', credentials: { accessKeyId, secretAccessKey } });
    await expect(client.send(new LookupEventsCommand({}))).rejects.toMatchObject({ name: 'EventHistoryDamagedException' });
    const later = new LookupEventsCommand({ StartTime: new Date(Date.now() + 30 * 60_000) });
    expect((await client.send(later)).Events).toEqual([]);
    client.destroy();
  } finally {
    await second.stop();
  }

  const now = await readFile(join(journal, log!));
  whole.copy(now);
  await writeFile(join(journal, log!), now);
  const third = await startServer({ dataDir });
  try {
    const found = await findAll(dataDir);
    expect([found.exitCode, idsOf(found).length]).toEqual([0, 101]);
    const doctor = await runCli(['doctor', '--data-dir', dataDir]);
    expect([doctor.exitCode, doctor.stderr]).toEqual([0, expect.not.stringContaining('damaged')]);
  } finally {
    await third.stop();
  }
});
