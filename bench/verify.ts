/**
 * Prints how much faster evidence is verified than by `aws cloudtrail validate-logs`, at 0 ms and at 20 ms a request.
 *
 * Run: `npm run build && node bench/run.mjs verify [rounds, default 3]`. Needs the AWS CLI 1.45.11.
 * Input: 168 digests and 2,016 log files of 20 records, once as a week of one Region (each log file has a receipt of its own,
 * which ours reads besides) and once as 42 hours of four Regions (a receipt names the four log files of a flush; the CLI
 * validates one Region a run, so it runs four times). The bucket is behind a loopback endpoint in this process that signs
 * nothing and waits before each answer. Both readers are processes of their own, started anew each time, and read over
 * HTTP. Our client does not sign; that cost is the command line's.
 * Noise: rounds alternate; the median and the range are printed. Both must find everything valid, or the bench fails. On a
 * machine that does other work the ratio says little: ours uses two threads, the reference one.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { validateLogs, whyNoAwsCli } from '../test/support/aws-validate-logs.ts';
import { EvidenceBuilder } from '../test/support/evidence-builder.ts';
import { serveEvidence } from '../test/support/evidence-endpoint.ts';

const DIGESTS = 168;
const LOGS_EACH = 12;
const LOG_FILES = DIGESTS * LOGS_EACH;
const RECORDS = 20;
const REGIONS = ['eu-central-1', 'eu-north-1', 'eu-west-1', 'us-east-1'] as const;

const rounds = Number(process.argv[2] ?? 3);
const whyNot = whyNoAwsCli();
if (whyNot !== undefined) throw new Error(`the reference is missing: ${whyNot}`);

const folder = mkdtempSync(join(tmpdir(), 'snowtrail-bench-verify-'));
try {
  const program = await bundleReader(folder);
  for (const regions of [REGIONS.slice(0, 1), REGIONS]) {
    const builder = await buildWorkload(regions);
    writeFileSync(join(folder, 'key'), builder.installation.verifierKey);
    for (const delayMs of [0, 20]) await compare(builder, { program, regions, delayMs });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** All digests and log files, spread over the Regions. */
async function buildWorkload(regions: readonly string[]): Promise<EvidenceBuilder> {
  const builder = new EvidenceBuilder();
  await builder.start(regions);
  for (let hour = 0; hour < DIGESTS / regions.length; hour++) {
    for (let flush = 0; flush < LOGS_EACH; flush++) {
      builder.nowMs += 4 * 60_000;
      await builder.deliver(regions, RECORDS);
    }
    await builder.closeInterval();
  }
  return builder;
}

interface Comparison {
  readonly program: string;
  readonly regions: readonly string[];
  readonly delayMs: number;
}

async function compare(builder: EvidenceBuilder, { program, regions, delayMs }: Comparison): Promise<void> {
  const ours: number[] = [];
  const reference: number[] = [];
  for (let round = 0; round < rounds; round++) {
    ours.push(await timeOurs(builder, program, delayMs));
    let tookMs = 0;
    for (const region of regions) tookMs += await timeReference(builder, { region, regions, delayMs });
    reference.push(tookMs);
  }
  const ratio = (median(reference) / median(ours)).toFixed(1);
  const size = `${DIGESTS} digests, ${LOG_FILES} log files, ${builder.receipts} receipts, ${regions.length} Regions`;
  console.log(
    `verify at ${delayMs} ms a request: ${ratio} times as fast as validate-logs (${spread(ours)} against ${spread(reference)} ms; ${size})`,
  );
}

/** Bundles our reader and its worker as they would be shipped. */
async function bundleReader(into: string): Promise<string> {
  const common = { bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'error' } as const;
  await build({ ...common, entryPoints: ['bench/verify-reader.ts'], outfile: join(into, 'reader.mjs') });
  await build({ ...common, entryPoints: ['src/verify/inspect-file.worker.ts'], outfile: join(into, 'inspect-file.worker.js') });
  writeFileSync(join(into, 'package.json'), '{"type":"module"}');
  return join(into, 'reader.mjs');
}

async function timeOurs(builder: EvidenceBuilder, program: string, delayMs: number): Promise<number> {
  const endpoint = await serveEvidence(builder, builder.bucket, { delayMs });
  try {
    const from = performance.now();
    const child = spawn(process.execPath, [program, endpoint.url, builder.bucket.name, join(folder, 'key'), String(builder.nowMs)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += String(chunk);
    });
    const exitCode = await new Promise<number | null>((resolve) => child.on('close', resolve));
    const tookMs = performance.now() - from;
    const expected = `${DIGESTS}/${LOG_FILES}`;
    if (exitCode !== 0 || output.trim() !== expected)
      throw new Error(`expected exit 0 and ${expected}, got exit ${exitCode} and ${output}`);
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
