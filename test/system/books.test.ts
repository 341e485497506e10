/**
 * The books of a server in which something was lost: metrics, the API and `doctor` say the same.
 *
 * A follower that dropped events, and a submission of which fewer events are there than came in, are planted in the
 * catalog while the server stands still: what a follower counted is all that anybody knows of its work.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Client } from '../../src/cli/client.ts';
import { findServer } from '../../src/cli/find-server.ts';
import type { CatalogKey } from '../../src/store/catalog.ts';
import { openLmdbCatalog } from '../../src/store/lmdb/catalog.ts';
import { runCli } from '../support/run-cli.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';

const ACCOUNT = '123837392027';
const root = await mkdtemp(join(tmpdir(), 'snowtrail-books-'));
afterAll(() => rm(root, { recursive: true, force: true }));

interface Books {
  readonly Unexplained: number;
  readonly Received: readonly { readonly Unexplained: number }[];
  readonly Followers: readonly { readonly Follower: string; readonly Pending: number; readonly Unexplained: number }[];
}

/** What the three say: each what is not 0. */
async function ask(dataDir: string) {
  const client = new Client(await findServer({ dataDir }));
  const books = await client.call<Books>('GetAccounting');
  const doctor = await runCli(['doctor', '--data-dir', dataDir, '-o', 'json']);
  const metrics = new TextDecoder().decode((await client.page('/metrics')).body);
  return {
    api: {
      total: books.Unexplained,
      received: books.Received.map(({ Unexplained }) => Unexplained).filter((each) => each !== 0),
      followers: books.Followers.filter(({ Unexplained }) => Unexplained !== 0).map(({ Follower, Unexplained }) => [Follower, Unexplained]),
    },
    doctor: {
      exitCode: doctor.exitCode,
      total: (JSON.parse(doctor.text) as { Unexplained: number }).Unexplained,
      findings: doctor.stderr.split('\n').filter((line) => line.includes('unexplained')),
    },
    metrics: metrics.split('\n').filter((line) => /^snowtrail_unexplained_/.test(line) && !line.endsWith(' 0')),
    isInMetrics: /^snowtrail_unexplained_events\{follower="history"\} \d+$/m.test(metrics),
  };
}

/** Changes one number of a follower's counts, as a bug of it would have. */
async function plant(dataDir: string, follower: string, member: string, more: number): Promise<void> {
  const catalog = await openLmdbCatalog({ folder: join(dataDir, 'catalog') });
  const [found] = await catalog.list<Record<string, number>>(['accounting', follower]);
  const value = { ...found!.value, [member]: found!.value[member]! + more };
  await catalog.commit([{ key: found!.key as CatalogKey, value, expected: 'any' }]);
  await catalog.close();
}

test('a follower that lost 2 events and 3 that were received and never kept are shown by metrics, API and doctor alike (P19, F45)', async () => {
  const dataDir = join(root, 'data');
  const records = join(root, 'records.ndjson');
  const record = (id: number) => JSON.stringify({ eventID: `event-${id}`, eventName: 'A', eventSource: 'b.amazonaws.com' });
  await writeFile(records, `${Array.from({ length: 50 }, (_, id) => record(id)).join('\n')}\nnonsense\n${record(7)}\n`);
  let server: StartedServer = await startServer({ dataDir, flags: ['--account-id', ACCOUNT] });
  try {
    await runCli(['record', records, '--data-dir', dataDir]);
    expect(await ask(dataDir)).toEqual({
      api: { total: 0, received: [], followers: [] },
      doctor: { exitCode: 0, total: 0, findings: [] },
      metrics: [],
      isInMetrics: true,
    });
    await server.stop();
    await plant(dataDir, 'history', 'delivered', -2);
    await plant(dataDir, 'accounting', 'received', 3);
    server = await startServer({ dataDir });
    expect(await ask(dataDir)).toEqual({
      api: { total: 5, received: [3], followers: [['history', 2]] },
      doctor: {
        exitCode: 1,
        total: 5,
        findings: [
          expect.stringMatching(
            /^snowtrail: 3 events that account 123837392027 was sent in the hour from .* are unexplained: received is not/,
          ),
          expect.stringMatching(/^snowtrail: 2 events of account 123837392027, .* are unexplained in follower history$/),
        ],
      },
      metrics: [
        'snowtrail_unexplained_received_events 3',
        'snowtrail_unexplained_events{follower="history"} 2',
        expect.stringMatching(/^snowtrail_unexplained_hour_events\{account="123837392027",hour=".*:00:00\.000Z",follower="history"\} 2$/),
      ],
      isInMetrics: true,
    });
  } finally {
    await server.stop();
  }
});

test('the books balance after a kill, and `/metrics` asks for the token that is set', async () => {
  const dataDir = join(root, 'killed');
  const records = join(root, 'some.ndjson');
  await writeFile(records, Array.from({ length: 700 }, (_, id) => JSON.stringify({ eventID: `e-${id}`, eventName: 'A' })).join('\n'));
  const token = 'a-token-of-some-length';
  let server = await startServer({ dataDir, flags: ['--account-id', ACCOUNT] });
  await runCli(['record', records, '--data-dir', dataDir]);
  await server.kill();
  // The first check of a start saves what it counted.
  for (let start = 1; start <= 2; start++) {
    server = await startServer({ dataDir, env: { SNOWTRAIL_METRICS_TOKEN: token } });
    const doctor = await runCli(['doctor', '--data-dir', dataDir, '-o', 'json']);
    expect(JSON.parse(doctor.text)).toMatchObject({ Unexplained: 0, Findings: [], Followers: [{ Lag: expect.any(Number) }, {}, {}] });
    if (start === 1) await server.kill();
  }
  expect((await fetch(`${server.url}/metrics`)).status).toBe(401);
  const metrics = await (await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${token}` } })).text();
  expect(metrics).toMatch(/^snowtrail_follower_events\{follower="tree",outcome="accepted"\} 70\d$/m);
  await server.stop();
});
