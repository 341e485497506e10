/**
 * Trails as Terraform's AWS provider makes, reads, changes and deletes them: what was applied has no difference to what is planned next.
 *
 * The configurations are ours; the cases are some of those of the provider's own acceptance tests for `aws_cloudtrail`. Terraform 1.11 and the
 * provider 5.100 are in no registry that tests may use: where they are missing, the tests are skipped, also where everything else is
 * required.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Client } from '../../src/cli/client.ts';
import { findServer } from '../../src/cli/find-server.ts';
import { clientEnvironment, run } from '../support/clients.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';

const ACCOUNT = '123837392027';
const REGION = 'us-east-1';
const PLUGINS = ['/opt/tf-plugins', process.env['SNOWTRAIL_TERRAFORM_PLUGINS'] ?? ''].find((folder) =>
  existsSync(join(folder, 'registry.terraform.io/hashicorp/aws/5.100.0')),
);

const isThere = PLUGINS !== undefined && hasTerraform();
if (!isThere)
  console.warn('skipped: Terraform 1.11 with the AWS provider 5.100.0 is missing; SNOWTRAIL_TERRAFORM_PLUGINS names a folder with it');

function hasTerraform(): boolean {
  try {
    return execFileSync('terraform', ['version'], { stdio: 'pipe' }).toString().startsWith('Terraform v1.11');
  } catch {
    return false;
  }
}

let server: StartedServer;
let folder: string;
let env: Record<string, string>;

beforeAll(async () => {
  if (!isThere) return;
  server = await startServer({ flags: ['--account-id', ACCOUNT, '--region', REGION, '--organization-id', 'o-winterday01'] });
  const { access } = new Client(await findServer({ dataDir: server.dataDir, account: ACCOUNT }));
  const key = { accessKeyId: access.accessKeyId, secretAccessKey: access.secretAccessKey };
  env = { ...clientEnvironment(server.url, key, REGION), TF_CLI_CONFIG_FILE: '/dev/null', CHECKPOINT_DISABLE: '1', TF_IN_AUTOMATION: '1' };
});

afterAll(async () => {
  if (!isThere) return;
  expect(await server.stop()).toBe(0);
  await rm(server.dataDir, { recursive: true, force: true });
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'snowtrail-terraform-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function terraform(...words: readonly string[]): Promise<{ code: number; said: string; stdout: string }> {
  const { code, stdout, stderr } = await run('terraform', words, { cwd: folder, env, timeoutMs: 120_000 });
  return { code, stdout, said: `${words.join(' ')}: ${code}\n${stdout.slice(-3_000)}\n${stderr.slice(-3_000)}` };
}

async function succeed(...words: readonly string[]): Promise<string> {
  const { code, said, stdout } = await terraform(...words);
  expect(code, said).toBe(0);
  return stdout;
}

/** Applies a configuration, and finds nothing to change after it. @returns the trail as Terraform read it */
async function converge(configuration: string): Promise<Record<string, unknown>> {
  await writeFile(join(folder, 'main.tf'), `${PROVIDER}\n${BUCKET}\n${configuration}`);
  await succeed('apply', '-auto-approve', '-no-color', '-input=false');
  // 0: there is nothing to do; 2: there is.
  await succeed('plan', '-detailed-exitcode', '-no-color', '-input=false');
  return readTrail();
}

async function readTrail(): Promise<Record<string, unknown>> {
  const state = JSON.parse(await succeed('show', '-json', '-no-color')) as State;
  return state.values.root_module.resources.find(({ address }) => address === TRAIL)!.values;
}

interface State {
  readonly values: {
    readonly root_module: { readonly resources: readonly { readonly address: string; readonly values: Record<string, unknown> }[] };
  };
}

const TRAIL = 'aws_cloudtrail.main';

const PROVIDER = `
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

provider "aws" {
  region            = "${REGION}"
  s3_use_path_style = true
}
`;

const BUCKET = `
resource "aws_s3_bucket" "logs" {
  bucket        = "winterday-logs"
  force_destroy = true
}

resource "aws_s3_bucket_policy" "logs" {
  bucket = aws_s3_bucket.logs.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Service = "cloudtrail.amazonaws.com" }
        Action    = "s3:GetBucketAcl"
        Resource  = aws_s3_bucket.logs.arn
      },
      {
        Effect    = "Allow"
        Principal = { Service = "cloudtrail.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = "\${aws_s3_bucket.logs.arn}/*"
        Condition = { StringEquals = { "s3:x-amz-acl" = "bucket-owner-full-control" } }
      },
    ]
  })
}
`;

/** The trail with these settings. */
function trail(settings = ''): string {
  return `
resource "aws_cloudtrail" "main" {
  depends_on     = [aws_s3_bucket_policy.logs]
  name           = "winterday"
  s3_bucket_name = aws_s3_bucket.logs.id
${settings}
}
`;
}

const PLAIN = {
  include_global_service_events: true,
  is_multi_region_trail: false,
  is_organization_trail: false,
  enable_log_file_validation: false,
  enable_logging: true,
  kms_key_id: '',
  s3_key_prefix: '',
  sns_topic_name: '',
};

interface Case {
  readonly title: string;
  readonly first: string;
  readonly shows: object;
  readonly changed: string;
  readonly changedShows: object;
}

const CASES: readonly Case[] = [
  {
    title: 'a plain trail gets a prefix, and leaves global service events out',
    first: trail(),
    shows: PLAIN,
    changed: trail('  s3_key_prefix = "prefix"\n  include_global_service_events = false\n  enable_logging = false'),
    changedShows: { ...PLAIN, s3_key_prefix: 'prefix', include_global_service_events: false, enable_logging: false },
  },
  {
    title: 'a trail of one Region becomes one of all, with digests',
    first: trail('  enable_log_file_validation = true'),
    shows: { ...PLAIN, enable_log_file_validation: true },
    changed: trail('  is_multi_region_trail = true'),
    changedShows: { ...PLAIN, is_multi_region_trail: true },
  },
];

describe.skipIf(!isThere)('Terraform', () => {
  test.each(CASES)(
    '$title: planned, applied, imported and destroyed without a difference',
    async ({ first, shows, changed, changedShows }) => {
      await writeFile(join(folder, 'main.tf'), PROVIDER);
      await succeed('init', `-plugin-dir=${PLUGINS}`, '-no-color', '-input=false');
      expect(await converge(first)).toMatchObject(shows);
      expect(await converge(changed)).toMatchObject(changedShows);
      await succeed('state', 'rm', TRAIL);
      await succeed('import', '-no-color', '-input=false', TRAIL, `arn:aws:cloudtrail:${REGION}:${ACCOUNT}:trail/winterday`);
      await succeed('plan', '-detailed-exitcode', '-no-color', '-input=false');
      expect(await readTrail()).toMatchObject(changedShows);
      await succeed('destroy', '-auto-approve', '-no-color', '-input=false');
    },
  );
});
