/**
 * Prints how much faster evidence is verified than by `aws cloudtrail validate-logs`, at 0 ms and at 20 ms a request.
 *
 * Run: `npm run build && node bench/run.mjs verify [rounds, default 3] [delays in ms, default 0,20]`. Needs the AWS CLI 1.45.11.
 * Input: 168 digests and 2,016 log files of 20 records, once as a week of one Region (each log file has a receipt of its own,
 * which ours reads besides) and once as 42 hours of four Regions (a receipt names the four log files of a flush; the CLI
 * validates one Region a run, so it runs four times). The bucket is behind a loopback endpoint in this process that checks
 * no signature and waits before each answer. Ours is the command `snowtrail verify s3://…`, which signs; both are started
 * anew each time and read over HTTP.
 * Noise: rounds alternate; the median and the range are printed. Both must find everything valid, or the bench fails. On a
 * machine that does other work the ratio says little: ours uses two threads, the reference one, and the endpoint takes a third.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { VerifyReport } from '../src/verify/report.ts';
import { validateLogs, whyNoAwsCli } from '../test/support/aws-validate-logs.ts';
import { EvidenceBuilder } from '../test/support/evidence-builder.ts';
import { serveEvidence } from '../test/support/evidence-endpoint.ts';

const DIGESTS = 168;
const LOGS_EACH = 12;
const LOG_FILES = DIGESTS * LOGS_EACH;
const RECORDS = 20;
const HOUR_MS = 3_600_000;
const REGIONS = ['eu-central-1', 'eu-north-1', 'eu-west-1', 'us-east-1'] as const;

const rounds = Number(process.argv[2] ?? 3);
const delaysMs = (process.argv[3] ?? '0,20').split(',').map(Number);
const whyNot = whyNoAwsCli();
if (whyNot !== undefined) throw new Error(`the reference is missing: ${whyNot}`);

const folder = mkdtempSync(join(tmpdir(), 'snowtrail-bench-verify-'));
try {
  for (const regions of [REGIONS.slice(0, 1), REGIONS]) {
    const builder = await buildWorkload(regions);
    writeFileSync(join(folder, 'key'), builder.installation.verifierKey);
    for (const delayMs of delaysMs) await compare(builder, { regions, delayMs });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** All digests and log files, spread over the Regions. */
async function buildWorkload(regions: readonly string[]): Promise<EvidenceBuilder> {
  const hours = DIGESTS / regions.length;
  // The newest digest is of the last full hour, so that nothing is overdue.
  const builder = new EvidenceBuilder({ nowMs: Math.floor(Date.now() / HOUR_MS - hours) * HOUR_MS });
  await builder.start(regions);
  for (let hour = 0; hour < hours; hour++) {
    for (let flush = 0; flush < LOGS_EACH; flush++) {
      builder.nowMs += 4 * 60_000;
      await builder.deliver(regions, RECORDS);
    }
    await builder.closeInterval();
  }
  return builder;
}

interface Comparison {
  readonly regions: readonly string[];
  readonly delayMs: number;
}

async function compare(builder: EvidenceBuilder, { regions, delayMs }: Comparison): Promise<void> {
  const ours: number[] = [];
  const reference: number[] = [];
  for (let round = 0; round < rounds; round++) {
    ours.push(await timeOurs(builder, delayMs));
    let tookMs = 0;
    for (const region of regions) tookMs += await timeReference(builder, { region, regions, delayMs });
    reference.push(tookMs);
  }
  const ratio = (median(reference) / median(ours)).toFixed(1);
  const size = `${DIGESTS} digests, ${LOG_FILES} log files, ${builder.receipts} receipts, ${regions.length} Regions`;
  console.log(
    `verify at ${delayMs} ms a request: ${ratio} times as fast as validate-logs (${spread(ours)} against ${spread(reference)} ms; ${size}; ${availableParallelism()} processors, load ${loadavg()[0]!.toFixed(1)})`,
  );
}

async function timeOurs(builder: EvidenceBuilder, delayMs: number): Promise<number> {
  const endpoint = await serveEvidence(builder, builder.bucket, { delayMs });
  try {
    const from = performance.now();
    const target = ['verify', `s3://${builder.bucket.name}`, '--endpoint', endpoint.url];
    const child = spawn(
      process.execPath,
      [join('bin', 'snowtrail'), ...target, '--public-key', join(folder, 'key'), '--offline', '--output', 'json'],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE', AWS_SECRET_ACCESS_KEY: 'secret', AWS_REGION: REGIONS[0] },
      },
    );
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += String(chunk);
    });
    const exitCode = await new Promise<number | null>((resolve) => child.on('close', resolve));
    const tookMs = performance.now() - from;
    const { verdict, counts } = JSON.parse(output) as VerifyReport;
    const found = `exit ${exitCode}, ${verdict}, ${counts.digest.valid}/${counts.log.valid}`;
    if (found !== `exit 0, consistent, ${DIGESTS}/${LOG_FILES}`) throw new Error(`snowtrail verify: ${found}`);
    return tookMs;
  } finally {
    await endpoint.close();
  }
}

async function timeReference(
  builder: EvidenceBuilder,
  { region, regions, delayMs }: { readonly region: string; readonly regions: readonly string[]; readonly delayMs: number },
): Promise<number> {
  const { exitCode, output, tookMs } = await validateLogs(builder, builder.bucket, { delayMs, region });
  const [digests, logs] = [DIGESTS / regions.length, LOG_FILES / regions.length];
  const isValid = output.includes(`${digests}/${digests} digest files valid`) && output.includes(`${logs}/${logs} log files valid`);
  if (exitCode !== 0 || !isValid) throw new Error(`validate-logs: exit ${exitCode}\n${output.slice(-2_000)}`);
  return tookMs;
}

function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)]!;
}

function spread(values: readonly number[]): string {
  return `${Math.round(median(values))} [${Math.round(Math.min(...values))}–${Math.round(Math.max(...values))}]`;
}
