/**
 * A CloudWatch Logs that is away, refuses, or says nothing, under load, and a server that is killed meanwhile (F25).
 *
 * The ledger is the oracle: log files, digests, history and tree are as if nothing had happened, and each acknowledged event is in
 * the log group: once, but for those of calls whose answer was lost or that a kill cut, which may be there twice.
 * reliability.md F25, P3. `SNOWTRAIL_SWEEP=1`: longer.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CloudWatchLogsClient,
  CreateLogGroupCommand,
  DescribeLogStreamsCommand,
  GetLogEventsCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Client } from '../../src/cli/client.ts';
import { findServer } from '../../src/cli/find-server.ts';
import { type Fault, FaultProxy } from '../support/fault-proxy.ts';
import { checkLedger, LEDGER_ACCOUNT, LEDGER_FLAGS, Ledger, prepareTrail, startLoad, untilAcknowledged } from '../support/ledger.ts';
import { MOTO_KEY, type Moto, startMoto } from '../support/moto.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';
import { hasCommands } from '../support/start-tool.ts';
import { IS_SWEEP } from '../support/sweep.ts';

process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';

/** Two hours, sixty times faster, in the sweep. */
const AWAY_MS = IS_SWEEP ? 120_000 : 6_000;
const FAULTY_MS = IS_SWEEP ? 30_000 : 4_000;
/** The longest back-off after a failure is a minute. */
const RECOVERY_MS = 150_000;
const REGION = 'us-east-1';
const GROUP = 'audit';
const GROUP_ARN = `arn:aws:logs:${REGION}:${LEDGER_ACCOUNT}:log-group:${GROUP}:*`;
const ROLE_ARN = `arn:aws:iam::${LEDGER_ACCOUNT}:role/logs`;
const FOLLOWER = `logs/${LEDGER_ACCOUNT}/${REGION}/main`;
const hasMoto = hasCommands(['moto_server'], 'install `moto[server]` from PyPI to take a CloudWatch Logs away');

describe.skipIf(!hasMoto)('F25 a trail whose CloudWatch Logs is away', () => {
  const ledger = new Ledger();
  let moto: Moto;
  let proxy: FaultProxy;
  let logs: CloudWatchLogsClient;
  let folder: string;
  let flags: readonly string[];
  let server: StartedServer;

  beforeAll(async () => {
    moto = await startMoto();
    proxy = await FaultProxy.start(moto.endpoint);
    const base = { endpoint: moto.endpoint, region: REGION };
    const { Credentials } = await new STSClient({ ...base, credentials: { ...MOTO_KEY } }).send(
      new AssumeRoleCommand({ RoleArn: ROLE_ARN, RoleSessionName: 'test' }),
    );
    const { AccessKeyId, SecretAccessKey, SessionToken } = Credentials!;
    const credentials = { accessKeyId: AccessKeyId!, secretAccessKey: SecretAccessKey!, sessionToken: SessionToken! };
    logs = new CloudWatchLogsClient({ ...base, credentials });
    await logs.send(new CreateLogGroupCommand({ logGroupName: GROUP }));
    folder = await mkdtemp(join(tmpdir(), 'snowtrail-logs-target-'));
    const config = join(folder, 'snowtrail.yaml');
    await writeFile(config, JSON.stringify({ delivery: { logs: { endpoint: proxy.url, credentials: MOTO_KEY } } }));
    flags = ['--config', config, ...LEDGER_FLAGS];
    await start();
    await prepareTrail(server.dataDir);
    const target = { CloudWatchLogsLogGroupArn: GROUP_ARN, CloudWatchLogsRoleArn: ROLE_ARN };
    await (await client()).cloudtrail('UpdateTrail', { Name: 'main', ...target });
  });

  afterAll(async () => {
    await server?.kill();
    await proxy?.close();
    await moto?.stop();
    if (folder) await rm(folder, { recursive: true });
  });

  async function start(): Promise<void> {
    server = await startServer({ dataDir: join(folder, 'data'), flags });
  }

  const client = async () => new Client(await findServer({ dataDir: server.dataDir }));
  const status = async () =>
    (await client()).cloudtrail<{ LatestDeliveryError?: string; LatestCloudWatchLogsDeliveryError?: string }>('GetTrailStatus', {
      Name: 'main',
    });
  const lag = async () =>
    Number(
      new RegExp(`^snowtrail_follower_lag_entries\\{follower="${FOLLOWER}"\\} (\\d+)$`, 'm').exec(
        new TextDecoder().decode((await (await client()).page('/metrics')).body),
      )![1],
    );

  /** How often each event is in the log group. */
  async function inGroup(): Promise<ReadonlyMap<string, number>> {
    const { logStreams = [] } = await logs.send(new DescribeLogStreamsCommand({ logGroupName: GROUP }));
    const counts = new Map<string, number>();
    for (const { logStreamName } of logStreams)
      for (let token: string | undefined; ; ) {
        const page = await logs.send(
          new GetLogEventsCommand({ logGroupName: GROUP, logStreamName, startFromHead: true, ...(token && { nextToken: token }) }),
        );
        for (const { message } of page.events ?? []) {
          const { eventID } = JSON.parse(message!) as { eventID: string };
          counts.set(eventID, (counts.get(eventID) ?? 0) + 1);
        }
        if ((page.events ?? []).length === 0 || page.nextForwardToken === token) break;
        token = page.nextForwardToken;
      }
    return counts;
  }

  test('all that waits comes when it is back, S3 never notices, and a kill repeats no more than what it cut', {
    timeout: 600_000,
  }, async () => {
    const load = await startLoad(server, ledger, 25, 2);
    await untilAcknowledged(ledger, 50);

    await proxy.close();
    const before = ledger.acknowledged.size;
    await sleep(AWAY_MS);
    const during = await status();
    expect(during.LatestCloudWatchLogsDeliveryError).toMatch(/^ECONN/);
    expect(during.LatestDeliveryError).toBeUndefined();
    expect(await lag()).toBeGreaterThan((ledger.acknowledged.size - before) / 2);
    await load.stop();
    await server.kill();
    await start();
    await proxy.open();

    const again = await startLoad(server, ledger, 26, 2);
    const faults: readonly (Fault | undefined)[] = ['throttled', 'reset', 'body-cut', undefined, 'answer-lost', undefined];
    let asked = 0;
    proxy.decide = () => faults[asked++ % faults.length];
    await untilAcknowledged(ledger, 50);
    await sleep(FAULTY_MS);
    proxy.decide = () => undefined;
    await again.stop();

    const missing = async () => {
      const there = await inGroup();
      return [...ledger.acknowledged.keys()].filter((id) => !there.has(id));
    };
    for (const endMs = performance.now() + RECOVERY_MS; (await missing()).length > 0; await sleep(1_000))
      if (performance.now() > endMs) throw new Error(`${(await missing()).length} events are missing: ${JSON.stringify(await status())}`);
    const { faults: found } = await checkLedger(server, ledger);
    expect(found).toEqual([]);
    const metrics = new TextDecoder().decode((await (await client()).page('/metrics')).body);
    expect(metrics).toContain(`snowtrail_unexplained_events{follower="${FOLLOWER}"} 0`);

    // At least once: what came twice was in a call whose answer was lost, or that the kill cut.
    const there = await inGroup();
    const lost = proxy.seen.filter(({ fault }) => fault === 'answer-lost').length;
    expect(Math.max(...there.values())).toBeLessThanOrEqual(1 + lost + 1);
    const twice = [...there.values()].filter((count) => count > 1).length;
    console.log(`${ledger.acknowledged.size} acknowledged, ${twice} of them more than once in the log group, ${lost} answers lost`);
    if (lost === 0) expect(twice).toBe(0);
    expect((await status()).LatestCloudWatchLogsDeliveryError).toBeUndefined();
  });
});
