/**
 * Trails and keys as Terraform's AWS provider makes, reads, changes and deletes them: what was applied has no difference to what is planned
 * next.
 *
 * The configurations are ours; the cases are those of the provider's own acceptance tests for `aws_cloudtrail`. A moto keeps the log groups.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { MOTO_ACCOUNT as ACCOUNT, MOTO_KEY, type Moto, startMoto } from '../support/moto.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';
import { hasCommands } from '../support/start-tool.ts';
import { hasTerraform, Terraform, terraformEnvironment, topic } from '../support/terraform.ts';
import { testDataFolder } from '../support/test-data.ts';

const REGION = 'us-east-1';
const data = testDataFolder();
const hasMoto = hasCommands(['moto_server'], 'install `moto[server]` from PyPI to keep log groups');

const TRAIL = 'aws_cloudtrail.main';

/** A bucket that trails may deliver to. */
function bucket(label: string): string {
  return `
resource "aws_s3_bucket" "${label}" {
  bucket        = "winterday-${label}"
  force_destroy = true
}

resource "aws_s3_bucket_policy" "${label}" {
  bucket = aws_s3_bucket.${label}.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Service = "cloudtrail.amazonaws.com" }
        Action    = "s3:GetBucketAcl"
        Resource  = aws_s3_bucket.${label}.arn
      },
      {
        Effect    = "Allow"
        Principal = { Service = "cloudtrail.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = "\${aws_s3_bucket.${label}.arn}/*"
        Condition = { StringEquals = { "s3:x-amz-acl" = "bucket-owner-full-control" } }
      },
    ]
  })
}
`;
}

/** The trail with these settings, and its bucket. */
function trail(settings = '', label = 'logs'): string {
  return `
${bucket(label)}
resource "aws_cloudtrail" "main" {
  name           = "winterday"
  s3_bucket_name = aws_s3_bucket_policy.${label}.bucket
${settings}
}
`;
}

/** A policy of a key: its account may do everything, CloudTrail may make data keys and do what `action` says. */
function keyPolicy(action: string): string {
  return `jsonencode({
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
  })`;
}

const KEY = `
resource "aws_kms_key" "logs" {
  deletion_window_in_days = 7
  enable_key_rotation     = true
  policy                  = ${keyPolicy('kms:DescribeKey')}
}

resource "aws_kms_alias" "logs" {
  name          = "alias/winterday"
  target_key_id = aws_kms_key.logs.id
}
`;

/** Log groups, and a role of ours for what reads them. The role that writes is one of the moto. */
const GROUPS = `
resource "aws_cloudwatch_log_group" "first" {
  name = "winterday-first"
}

resource "aws_cloudwatch_log_group" "second" {
  name = "winterday-second"
}

resource "aws_iam_role" "reader" {
  name = "winterday-reader"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { AWS = "arn:aws:iam::${ACCOUNT}:root" }, Action = "sts:AssumeRole" }]
  })
}
`;

const ORGANIZATION = `
resource "aws_organizations_organization" "winterday" {
  aws_service_access_principals = ["cloudtrail.amazonaws.com"]
}
`;

const WRITER = `arn:aws:iam::${ACCOUNT}:role/winterday-writer`;
const toGroup = (label: string) => `
  cloud_watch_logs_group_arn = "\${aws_cloudwatch_log_group.${label}.arn}:*"
  cloud_watch_logs_role_arn  = "${WRITER}"`;
const groupArn = (label: string) => `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:winterday-${label}:*`;

const PLAIN = {
  include_global_service_events: true,
  is_multi_region_trail: false,
  is_organization_trail: false,
  enable_log_file_validation: false,
  enable_logging: true,
  kms_key_id: '',
  s3_bucket_name: 'winterday-logs',
  s3_key_prefix: '',
  sns_topic_name: '',
  cloud_watch_logs_group_arn: '',
  event_selector: [],
};

interface Case {
  readonly title: string;
  /** The provider's acceptance tests whose settings are among the steps. */
  readonly covers: readonly string[];
  /** Each is applied in its turn. */
  readonly steps: readonly { readonly of: string; readonly shows: object }[];
}

const CASES: readonly Case[] = [
  {
    title: 'its prefix, Regions, global service events, digests and logging',
    covers: ['testAccAWSCloudTrail_basic', 'testAccAWSCloudTrail_multiRegion'],
    steps: [
      { of: trail(), shows: PLAIN },
      {
        of: trail('  s3_key_prefix = "prefix"\n  include_global_service_events = false\n  enable_logging = false'),
        shows: { ...PLAIN, s3_key_prefix: 'prefix', include_global_service_events: false, enable_logging: false },
      },
      {
        of: trail('  is_multi_region_trail = true\n  enable_log_file_validation = true'),
        shows: { ...PLAIN, is_multi_region_trail: true, enable_log_file_validation: true },
      },
      { of: trail(), shows: PLAIN },
    ],
  },
  {
    title: 'its tags',
    covers: [],
    steps: [
      { of: trail('  tags = { key1 = "value1" }'), shows: { tags: { key1: 'value1' } } },
      {
        of: trail('  tags = { key1 = "value1updated", key2 = "value2" }'),
        shows: { tags: { key1: 'value1updated', key2: 'value2' } },
      },
      { of: trail('  tags = { key2 = "value2" }'), shows: { tags: { key2: 'value2' } } },
    ],
  },
  {
    title: 'its key, its topic and its bucket',
    covers: [],
    steps: [
      {
        of:
          KEY +
          topic() +
          trail(
            '  kms_key_id = aws_kms_key.logs.arn\n  sns_topic_name = aws_sns_topic.deliveries.name\n  depends_on = [aws_sns_topic_policy.deliveries]',
          ),
        shows: {
          kms_key_id: expect.stringMatching(`^arn:aws:kms:${REGION}:${ACCOUNT}:key/`) as string,
          sns_topic_name: 'winterday-deliveries',
          sns_topic_arn: `arn:aws:sns:${REGION}:${ACCOUNT}:winterday-deliveries`,
        },
      },
      { of: KEY + topic() + bucket('logs') + trail('', 'moved'), shows: { ...PLAIN, s3_bucket_name: 'winterday-moved' } },
    ],
  },
  {
    title: 'its event selectors, basic and advanced',
    covers: ['testAccAWSCloudTrail_eventSelectorDynamoDB'],
    steps: [
      {
        of: trail(`
  event_selector {
    data_resource {
      type   = "AWS::DynamoDB::Table"
      values = ["arn:aws:dynamodb:${REGION}:${ACCOUNT}:table/orders"]
    }
  }`),
        shows: {
          event_selector: [
            {
              read_write_type: 'All',
              include_management_events: true,
              data_resource: [{ type: 'AWS::DynamoDB::Table', values: [`arn:aws:dynamodb:${REGION}:${ACCOUNT}:table/orders`] }],
            },
          ],
        },
      },
      {
        of: trail(`
  event_selector {
    read_write_type           = "ReadOnly"
    include_management_events = false
    data_resource {
      type   = "AWS::S3::Object"
      values = ["\${aws_s3_bucket.logs.arn}/foobar", "\${aws_s3_bucket.logs.arn}/"]
    }
  }
  event_selector {
    exclude_management_event_sources = ["kms.amazonaws.com", "rdsdata.amazonaws.com"]
    data_resource {
      type   = "AWS::Lambda::Function"
      values = ["arn:aws:lambda"]
    }
  }`),
        shows: {
          event_selector: [
            {
              read_write_type: 'ReadOnly',
              include_management_events: false,
              data_resource: [{ type: 'AWS::S3::Object', values: ['arn:aws:s3:::winterday-logs/foobar', 'arn:aws:s3:::winterday-logs/'] }],
            },
            {
              read_write_type: 'All',
              include_management_events: true,
              exclude_management_event_sources: ['kms.amazonaws.com', 'rdsdata.amazonaws.com'],
              data_resource: [{ type: 'AWS::Lambda::Function', values: ['arn:aws:lambda'] }],
            },
          ],
        },
      },
      {
        of: trail(`
  advanced_event_selector {
    name = "s3Custom"
    field_selector {
      field  = "eventCategory"
      equals = ["Data"]
    }
    field_selector {
      field  = "eventName"
      equals = ["DeleteObject"]
    }
    field_selector {
      field  = "resources.type"
      equals = ["AWS::S3::Object"]
    }
    field_selector {
      field       = "resources.ARN"
      starts_with = ["\${aws_s3_bucket.logs.arn}/"]
    }
  }
  advanced_event_selector {
    field_selector {
      field  = "eventCategory"
      equals = ["Management"]
    }
    field_selector {
      field      = "eventSource"
      not_equals = ["kms.amazonaws.com"]
    }
  }`),
        shows: {
          event_selector: [],
          advanced_event_selector: [expect.objectContaining({ name: 's3Custom' }), expect.objectContaining({ name: '' })],
        },
      },
    ],
  },
  {
    title: 'its log group',
    covers: ['testAccAWSCloudTrail_cloudwatch'],
    steps: [
      { of: GROUPS + trail(toGroup('first')), shows: { cloud_watch_logs_group_arn: groupArn('first'), cloud_watch_logs_role_arn: WRITER } },
      {
        of: GROUPS + trail(toGroup('second')),
        shows: { cloud_watch_logs_group_arn: groupArn('second'), cloud_watch_logs_role_arn: WRITER },
      },
      { of: GROUPS + trail(), shows: PLAIN },
    ],
  },
  {
    title: 'whose it is: of the organization, and of the account again',
    covers: ['testAccAWSCloudTrail_organization'],
    steps: [
      {
        of: ORGANIZATION + trail('  is_organization_trail = true\n  depends_on = [aws_organizations_organization.winterday]'),
        shows: { ...PLAIN, is_organization_trail: true },
      },
      { of: ORGANIZATION + trail(), shows: PLAIN },
    ],
  },
];

/** Of the provider's tests: what they are of is not built, and so `PutInsightSelectors` answers `UnsupportedOperationException`. */
const NOT_BUILT = ['testAccAWSCloudTrail_insightSelector'];

describe.skipIf(!hasTerraform || !hasMoto)('Terraform', { timeout: 400_000 }, () => {
  let moto: Moto;
  let folder: string;
  let server: StartedServer;
  let terraform: Terraform;

  beforeAll(async () => {
    moto = await startMoto();
    folder = await mkdtemp(join(tmpdir(), 'snowtrail-terraform-'));
    const config = join(folder, 'snowtrail.yaml');
    await writeFile(config, JSON.stringify({ delivery: { logs: { endpoint: moto.endpoint, credentials: MOTO_KEY } } }));
    server = await startServer({ flags: ['--config', config, '--account-id', ACCOUNT, '--region', REGION] });
    const env = await terraformEnvironment(server, { account: ACCOUNT, region: REGION });
    terraform = await Terraform.begin({ ...env, AWS_ENDPOINT_URL_CLOUDWATCH_LOGS: moto.endpoint });
  });
  afterAll(async () => {
    await terraform?.end();
    expect(await server.stop()).toBe(0);
    await moto.stop();
    await rm(server.dataDir, { recursive: true, force: true });
    await rm(folder, { recursive: true, force: true });
  });
  afterEach(async () => {
    await terraform.destroy();
    expect((await terraform.state()).resources).toEqual([]);
  });

  test.each(CASES)('a trail has $title: applied, changed, imported and destroyed without a difference', async ({ steps }) => {
    for (const { of, shows } of steps) {
      await terraform.converge(of);
      expect(await terraform.read(TRAIL)).toMatchObject(shows);
    }
    const before = await terraform.read(TRAIL);
    await terraform.reimport(TRAIL, `arn:aws:cloudtrail:${REGION}:${ACCOUNT}:trail/winterday`);
    await terraform.expectNothingToDo();
    expect(await terraform.read(TRAIL)).toEqual(before);
  });

  test("a trail's state of an older provider, which has its name for an id, is planned as it is", async () => {
    await terraform.converge(trail());
    const state = await terraform.state();
    const [instance] = state.resources.find(({ type }) => type === 'aws_cloudtrail')!.instances;
    instance!.schema_version = 0;
    instance!.attributes['id'] = 'winterday';
    await terraform.replaceState(state);
    await terraform.expectNothingToDo();
  });

  test.skipIf(data === undefined)("each of the provider's own tests of trails has its settings in a case", async () => {
    const lines = (await readFile(join(data!, 'terraform-acceptance', 'trail-tests.jsonl'), 'utf8')).trim().split('\n');
    const theirs = lines.map((line) => (JSON.parse(line) as { readonly test: string }).test);
    expect([...CASES.flatMap(({ covers }) => covers), ...NOT_BUILT].sort()).toEqual(theirs.sort());
  });

  test('a key with rotation, its policy and its alias: applied, changed, imported and destroyed without a difference', async () => {
    await terraform.converge(
      keys({ rotation: '  enable_key_rotation = true\n  rotation_period_in_days = 180', alias: 'main', action: 'kms:Decrypt' }),
    );
    expect(await terraform.read('aws_kms_key.main')).toMatchObject({
      enable_key_rotation: true,
      rotation_period_in_days: 180,
      is_enabled: true,
    });
    await terraform.converge(keys({ rotation: '  enable_key_rotation = false', alias: 'other', action: 'kms:Encrypt' }));
    expect(await terraform.read('aws_kms_key.main')).toMatchObject({ enable_key_rotation: false });
    await terraform.reimport('aws_kms_alias.main', 'alias/winterday');
    await terraform.expectNothingToDo();
  });
});

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
  policy = ${keyPolicy(action)}
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
