/**
 * Trails as Terraform's AWS provider makes, reads, changes and deletes them: what was applied has no difference to what is planned next.
 *
 * The configurations are ours; the cases are some of those of the provider's own acceptance tests for `aws_cloudtrail`.
 */
import { rm } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type StartedServer, startServer } from '../support/start-server.ts';
import { hasTerraform, Terraform, terraformEnvironment } from '../support/terraform.ts';

const ACCOUNT = '123837392027';
const REGION = 'us-east-1';
const TRAIL = 'aws_cloudtrail.main';

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

describe.skipIf(!hasTerraform)('Terraform', () => {
  let server: StartedServer;
  let terraform: Terraform;

  beforeAll(async () => {
    server = await startServer({ flags: ['--account-id', ACCOUNT, '--region', REGION, '--organization-id', 'o-winterday01'] });
  });
  afterAll(async () => {
    expect(await server.stop()).toBe(0);
    await rm(server.dataDir, { recursive: true, force: true });
  });
  beforeEach(async () => {
    terraform = await Terraform.begin(await terraformEnvironment(server, { account: ACCOUNT, region: REGION }));
  });
  afterEach(() => terraform.end());

  test.each(CASES)(
    '$title: planned, applied, imported and destroyed without a difference',
    async ({ first, shows, changed, changedShows }) => {
      await terraform.converge(`${BUCKET}\n${first}`);
      expect(await terraform.read(TRAIL)).toMatchObject(shows);
      await terraform.converge(`${BUCKET}\n${changed}`);
      expect(await terraform.read(TRAIL)).toMatchObject(changedShows);
      await terraform.reimport(TRAIL, `arn:aws:cloudtrail:${REGION}:${ACCOUNT}:trail/winterday`);
      await terraform.expectNothingToDo();
      expect(await terraform.read(TRAIL)).toMatchObject(changedShows);
      await terraform.destroy();
    },
  );

  test('a key with rotation, its policy and its alias: applied, changed, imported and destroyed without a difference', async () => {
    await terraform.converge(
      keys({ rotation: '  enable_key_rotation = true\n  rotation_period_in_days = 180', alias: 'main', action: 'kms:Decrypt' }),
    );
    expect(await terraform.read(KEY)).toMatchObject({ enable_key_rotation: true, rotation_period_in_days: 180, is_enabled: true });
    await terraform.converge(keys({ rotation: '  enable_key_rotation = false', alias: 'other', action: 'kms:Encrypt' }));
    expect(await terraform.read(KEY)).toMatchObject({ enable_key_rotation: false });
    await terraform.reimport('aws_kms_alias.main', 'alias/winterday');
    await terraform.expectNothingToDo();
    await terraform.destroy();
  });
});

const KEY = 'aws_kms_key.main';

/** A key that encrypts, with these settings, another one, a pair that signs, and an alias. */
function keys({
  rotation,
  alias,
  action,
}: {
  readonly rotation: string;
  readonly alias: 'main' | 'other';
  readonly action: string;
}): string {
  return `
resource "aws_kms_key" "main" {
  description             = "log files"
  deletion_window_in_days = 7
  tags                    = { Team = "audit" }
${rotation}
}

resource "aws_kms_key_policy" "main" {
  key_id = aws_kms_key.main.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { AWS = "arn:aws:iam::${ACCOUNT}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Effect    = "Allow"
        Principal = { Service = "cloudtrail.amazonaws.com" }
        Action    = ["kms:GenerateDataKey*", "${action}"]
        Resource  = "*"
      },
    ]
  })
}

resource "aws_kms_key" "other" {}

resource "aws_kms_key" "signing" {
  customer_master_key_spec = "ECC_NIST_P256"
  key_usage                = "SIGN_VERIFY"
}

resource "aws_kms_alias" "main" {
  name          = "alias/winterday"
  target_key_id = aws_kms_key.${alias}.key_id
}
`;
}
