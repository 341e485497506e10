/**
 * Prints how many control-plane calls a second a whole server answers, beside moto_server in the same run.
 *
 * Run: `npm run build && node bench/run.mjs control-plane [seconds for each kind, default 5]`. Needs moto_server 5.2.1 (PyPI).
 * Input: one account with 32 trails that do not log, over seven Regions. Reads are GetTrail and DescribeTrails, half each; writes are
 * UpdateTrail, of an own trail for each client. Every call is signed, and leaves an event that is durable before the answer;
 * moto_server verifies no signature and keeps nothing. 2 s of each before it is measured.
 * Reference: moto_server, asked the same by the same sender.
 * Noise: the sender is this process and shares the machine's cores with both; the processor time of a call depends less on it.
 */
import { Client } from '../src/cli/client.ts';
import { freePort, startTool } from '../test/support/start-tool.ts';
import { bucketPolicy } from '../test/support/trail-rig.ts';
import { loadText, processorSeconds, startMeasured } from './measured-server.ts';

const seconds = Number(process.argv[2] ?? 5);
const WARM_UP_S = 2;
const CLIENTS = 32;
const ACCOUNT = '123456789012';
/** Of the account's own trails; a Region has five at most. */
const REGIONS = ['us-east-1', 'us-east-2', 'us-west-1', 'us-west-2', 'eu-west-1', 'eu-west-2', 'eu-central-1'];

type Call = (lane: number, turn: number) => Promise<unknown>;

interface Target {
  readonly name: string;
  readonly clients: readonly Client[];
  readonly pid: number | undefined;
}

const measured = await startMeasured();
const port = await freePort();
const moto = startTool('moto_server', ['-H', '127.0.0.1', '-p', String(port)]);

function clientsOf(access: Client['access']): readonly Client[] {
  return Array.from({ length: CLIENTS }, (_, lane) => new Client({ ...access, region: REGIONS[lane % REGIONS.length]! }));
}

const ours: Target = { name: 'snowtrail', clients: clientsOf(measured.client.access), pid: measured.server.pid };
const theirs: Target = {
  name: 'moto_server',
  clients: clientsOf({
    url: `http://127.0.0.1:${port}`,
    region: 'us-east-1',
    accessKeyId: 'AKIAEXAMPLEEXAMPLE12',
    secretAccessKey: 'none',
  }),
  pid: undefined,
};

async function whenUp(client: Client): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const answer = await client.page('/').catch(() => undefined);
    if (answer !== undefined) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`moto_server does not come up: ${moto.output()}`);
}

/** A bucket, and a trail for each client; of those beyond a Region's five, two clients share one. */
async function prepare({ clients }: Target): Promise<void> {
  const first = clients[0]!;
  const bucket = 'control-plane-bench';
  for (const [path, body] of [
    [`/${bucket}`],
    [`/${bucket}?policy=`, Buffer.from(JSON.stringify(bucketPolicy(bucket, ACCOUNT)))],
  ] as const) {
    const answer = await first.send('s3', 'PUT', path, body === undefined ? {} : { body });
    if (answer.status >= 300) throw new Error(`putting \`${path}\` was refused: ${Buffer.from(answer.body).toString()}`);
  }
  for (const [lane, client] of clients.entries()) await client.cloudtrail('CreateTrail', { Name: nameOf(lane), S3BucketName: bucket });
}

const nameOf = (lane: number): string => `trail-${lane}`;

const kinds = (target: Target): Readonly<Record<'reads' | 'writes', Call>> => ({
  reads: (lane, turn) =>
    turn % 2 === 0
      ? target.clients[lane]!.cloudtrail('GetTrail', { Name: nameOf(lane) })
      : target.clients[lane]!.cloudtrail('DescribeTrails', { includeShadowTrails: false }),
  writes: (lane, turn) =>
    target.clients[lane]!.cloudtrail('UpdateTrail', { Name: nameOf(lane), IncludeGlobalServiceEvents: turn % 2 === 0 }),
});

async function callFor(durationS: number, call: Call): Promise<number> {
  const until = performance.now() + durationS * 1_000;
  let count = 0;
  await Promise.all(
    Array.from({ length: CLIENTS }, async (_, lane) => {
      for (let turn = 0; performance.now() < until; turn++, count++) await call(lane, turn);
    }),
  );
  return count;
}

async function rate(target: Target, kind: 'reads' | 'writes'): Promise<number> {
  const call = kinds(target)[kind];
  await callFor(WARM_UP_S, call);
  const before = target.pid === undefined ? undefined : processorSeconds(target.pid);
  const count = await callFor(seconds, call);
  const after = target.pid === undefined ? undefined : processorSeconds(target.pid);
  if (before !== undefined && after !== undefined)
    console.log(
      `  ${kind}: ${(((after.all - before.all) * 1_000) / count).toFixed(2)} ms of processor time a call, ${(((after.main - before.main) * 1_000) / count).toFixed(2)} of them on the main thread`,
    );
  return count / seconds;
}

try {
  await whenUp(theirs.clients[0]!);
  for (const target of [ours, theirs]) await prepare(target);
  for (const [kind, wanted] of [
    ['reads', 2_000],
    ['writes', 500],
  ] as const) {
    if ((process.argv[3] ?? kind) !== kind) continue;
    const [own, other] = [await rate(ours, kind), await rate(theirs, kind)];
    console.log(
      `${kind}: ${Math.round(own)} calls/s with ${CLIENTS} clients (wanted ${wanted}), ${(own / other).toFixed(1)} x moto_server's ${Math.round(other)} (${loadText()})`,
    );
  }
} finally {
  await measured.end();
  await moto.stop();
}
