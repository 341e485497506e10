/**
 * Runs `aws cloudtrail validate-logs` of AWS CLI 1.45.11, the reference of our digests, against a loopback endpoint.
 */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MemoryBucket } from './evidence-builder.ts';
import { type EndpointOptions, type ShownTrail, serveEvidence } from './evidence-endpoint.ts';

const VERSION = '1.45.11';

/**
 * Why the reference cannot run here; `undefined` when it can.
 * @throws Error when it cannot and `SNOWTRAIL_REQUIRE_ALL` is `1`.
 */
export function whyNoAwsCli(): string | undefined {
  const { stdout, error } = spawnSync('aws', ['--version'], { encoding: 'utf8' });
  const why =
    error !== undefined
      ? 'the AWS CLI is not installed'
      : stdout.startsWith(`aws-cli/${VERSION} `)
        ? undefined
        : `the AWS CLI is \`${stdout.trim()}\`; the reference is ${VERSION}`;
  if (why !== undefined && process.env['SNOWTRAIL_REQUIRE_ALL'] === '1') throw new Error(why);
  return why;
}

/** Validates one Region of the bucket, the home Region by default, as the trail of `builder`. */
export async function validateLogs(
  builder: ShownTrail & { readonly nowMs: number },
  bucket: MemoryBucket,
  options: EndpointOptions & { readonly startTime?: string; readonly region?: string } = {},
): Promise<{ readonly exitCode: number; readonly output: string; readonly tookMs: number }> {
  const endpoint = await serveEvidence(builder, bucket, options);
  const folder = await mkdtemp(join(tmpdir(), 'snowtrail-aws-'));
  try {
    const config = join(folder, 'config');
    await writeFile(config, '[default]\ns3 =\n  addressing_style = path\n');
    const args = [
      'cloudtrail',
      'validate-logs',
      '--trail-arn',
      builder.trailARN,
      '--verbose',
      '--region',
      options.region ?? builder.homeRegion,
    ];
    const times = [
      '--start-time',
      options.startTime ?? '2026-01-01T00:00:00Z',
      '--end-time',
      new Date(builder.nowMs + 60_000).toISOString(),
    ];
    const env = {
      PATH: process.env['PATH'],
      HOME: folder,
      AWS_CONFIG_FILE: config,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_ENDPOINT_URL: endpoint.url,
      AWS_EC2_METADATA_DISABLED: 'true',
    };
    const from = performance.now();
    const { exitCode, output } = await run('aws', [...args, ...times], env);
    return { exitCode, output, tookMs: performance.now() - from };
  } finally {
    await endpoint.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function run(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<{ exitCode: number; output: string }> {
  return new Promise((resolve) => {
    execFile(command, [...args], { env: { ...env }, maxBuffer: 64 * 1024 * 1024, timeout: 600_000 }, (error, stdout, stderr) => {
      resolve({ exitCode: error === null ? 0 : Number(error.code ?? 255), output: `${stdout}\n${stderr}` });
    });
  });
}
