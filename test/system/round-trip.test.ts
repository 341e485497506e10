/**
 * Every operation of CloudTrail that is built, by the three stock clients, boto3, the SDK for JavaScript and the AWS CLI: answers are of the
 * shape that botocore knows, each client reads the same of them, and what breaks the model raises the service's error in each.
 *
 * `src/server/refusal-matrix.test.ts` has the same matrix over bare HTTP.
 */
import { readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as sdk from '@aws-sdk/client-cloudtrail';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Client } from '../../src/cli/client.ts';
import { findServer } from '../../src/cli/find-server.ts';
import { awsCli } from '../support/aws-cli.ts';
import { clientEnvironment, findAwsCli, findBoto3, run } from '../support/clients.ts';
import { borderRequests, brokenRequests } from '../support/constraint-matrix.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';
import { bucketPolicy } from '../support/trail-rig.ts';

const ACCOUNT = '123837392027';
const REGION = 'eu-central-1';
const BUCKET = 'winterday-logs';

const [aws, python] = await Promise.all([findAwsCli(), findBoto3()]);

/** A member of trails that the service has, and this botocore does not know yet. */
const NEWER = '.RecursiveLogging: unknown';

interface Request {
  readonly operation: string;
  readonly input: object;
}
/** What boto3 made of a request. */
interface Outcome {
  readonly operation: string;
  readonly code: string;
  readonly status: number;
  readonly isAsGiven: boolean;
  readonly raw: string | null;
  readonly parsed: readonly string[];
  readonly flaws: readonly string[];
}
/** What a client made of a request. */
interface Read {
  readonly code: string;
  /** Paths of the members that it hands over, sorted. */
  readonly paths: readonly string[];
}

/** Calls of each operation that is built, in an order in which all have something to answer. */
function valid(trail: string, member: string): readonly (Request & { readonly code?: string })[] {
  const arn = `arn:aws:cloudtrail:${REGION}:${ACCOUNT}:trail/${trail}`;
  const DataResources = [{ Type: 'AWS::S3::Object', Values: ['arn:aws:s3:::winterday-data/'] }];
  const ResourcePolicy = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: '*', Action: 'cloudtrail:StartDashboardRefresh', Resource: '*' }],
  });
  // A trail can have no policy of its own, and what can have one is not built yet.
  const code = 'ResourceTypeNotSupportedException';
  return [
    {
      operation: 'CreateTrail',
      input: { Name: trail, S3BucketName: BUCKET, IsMultiRegionTrail: true, TagsList: [{ Key: 'Team', Value: 'audit' }] },
    },
    { operation: 'UpdateTrail', input: { Name: trail, EnableLogFileValidation: true } },
    { operation: 'StartLogging', input: { Name: arn } },
    { operation: 'GetTrailStatus', input: { Name: trail } },
    { operation: 'GetTrail', input: { Name: trail } },
    { operation: 'DescribeTrails', input: { trailNameList: [trail], includeShadowTrails: true } },
    { operation: 'ListTrails', input: {} },
    { operation: 'AddTags', input: { ResourceId: arn, TagsList: [{ Key: 'Stage', Value: 'test' }] } },
    { operation: 'RemoveTags', input: { ResourceId: arn, TagsList: [{ Key: 'Stage' }] } },
    { operation: 'ListTags', input: { ResourceIdList: [arn] } },
    { operation: 'PutEventSelectors', input: { TrailName: trail, EventSelectors: [{ ReadWriteType: 'WriteOnly', DataResources }] } },
    { operation: 'GetEventSelectors', input: { TrailName: trail } },
    {
      operation: 'PutEventConfiguration',
      input: { TrailName: trail, AggregationConfigurations: [{ EventCategory: 'Data', Templates: ['API_ACTIVITY'] }] },
    },
    { operation: 'GetEventConfiguration', input: { TrailName: trail } },
    { operation: 'PutResourcePolicy', input: { ResourceArn: arn, ResourcePolicy }, code },
    { operation: 'GetResourcePolicy', input: { ResourceArn: arn }, code },
    { operation: 'DeleteResourcePolicy', input: { ResourceArn: arn }, code },
    { operation: 'RegisterOrganizationDelegatedAdmin', input: { MemberAccountId: member } },
    { operation: 'DeregisterOrganizationDelegatedAdmin', input: { DelegatedAdminAccountId: member } },
    { operation: 'ListPublicKeys', input: {} },
    {
      operation: 'LookupEvents',
      input: { MaxResults: 1, LookupAttributes: [{ AttributeKey: 'EventName', AttributeValue: 'CreateAccount' }] },
    },
    { operation: 'StopLogging', input: { Name: trail } },
    { operation: 'DeleteTrail', input: { Name: trail } },
  ];
}

/** Operations that the README says work. */
function working(): readonly string[] {
  const line = readFileSync('README.md', 'utf8')
    .split('\n\n')
    .find((paragraph) => paragraph.startsWith('_Works_:'));
  return [...line!.matchAll(/`([A-Za-z]+)`/g)].map(([, name]) => name!).sort();
}

describe.skipIf(aws === undefined || python === undefined)('stock clients', () => {
  let server: StartedServer;
  let env: Record<string, string>;
  let trails: sdk.CloudTrailClient;
  let member: string;

  beforeAll(async () => {
    server = await startServer({ flags: ['--account-id', ACCOUNT, '--region', REGION] });
    const administrator = new Client(await findServer({ dataDir: server.dataDir, account: ACCOUNT }));
    const { accessKeyId, secretAccessKey } = administrator.access;
    const config = join(server.dataDir, 'aws-config');
    await writeFile(config, '[default]\nparameter_validation = false\n');
    env = { ...clientEnvironment(server.url, { accessKeyId, secretAccessKey }, REGION), AWS_CONFIG_FILE: config };
    trails = new sdk.CloudTrailClient({
      endpoint: server.url,
      region: REGION,
      credentials: { accessKeyId, secretAccessKey },
      maxAttempts: 1,
    });
    const cli = awsCli(aws!, env);
    const place = ['--create-bucket-configuration', `LocationConstraint=${REGION}`];
    await cli('s3api', 'create-bucket', '--bucket', BUCKET, ...place);
    await cli('s3api', 'put-bucket-policy', '--bucket', BUCKET, '--policy', JSON.stringify(bucketPolicy(BUCKET, ACCOUNT)));
    await cli('organizations', 'create-organization');
    await cli('organizations', 'enable-aws-service-access', '--service-principal', 'cloudtrail.amazonaws.com');
    const { CreateAccountStatus } = await cli<{ CreateAccountStatus: { AccountId: string } }>(
      ...['organizations', 'create-account', '--account-name', 'member', '--email', 'member@example.com'],
    );
    member = CreateAccountStatus.AccountId;
  });
  afterAll(async () => {
    trails?.destroy();
    expect(await server.stop()).toBe(0);
    await rm(server.dataDir, { recursive: true, force: true });
  });

  async function byBoto3(requests: readonly Request[]): Promise<readonly Outcome[]> {
    const file = join(server.dataDir, 'requests.json');
    await writeFile(file, JSON.stringify(requests));
    const { code, stdout, stderr } = await run(python!, ['test/support/boto3_requests.py', file], { env, timeoutMs: 280_000 });
    expect(`${code} ${stderr}`).toMatch(/^0 /);
    return JSON.parse(stdout) as Outcome[];
  }

  async function bySdk({ operation, input }: Request): Promise<Read> {
    const Command = (sdk as unknown as Record<string, new (input: object) => sdk.ListTrailsCommand>)[`${operation}Command`]!;
    try {
      const { $metadata: _, ...output } = await trails.send(new Command(input));
      return { code: 'OK', paths: pathsOf(output) };
    } catch (error) {
      return { code: (error as Error).name, paths: [] };
    }
  }

  async function byCli({ operation, input }: Request): Promise<Read> {
    const words = [kebab(operation), '--cli-input-json', JSON.stringify(input), '--no-paginate'];
    const { code, stdout, stderr } = await run(aws!, ['cloudtrail', ...words], { env });
    if (code === 0) return { code: 'OK', paths: pathsOf(JSON.parse(stdout === '' ? '{}' : stdout)) };
    return { code: /An error occurred \((\w+)\)/.exec(stderr)?.[1] ?? stderr, paths: [] };
  }

  test('answers of every operation that is built are of the shape that botocore knows, and each client reads the same of them', async () => {
    const given = valid('by-boto3', member);
    expect(given.map(({ operation }) => operation).sort(), 'as the README says').toEqual(working());
    const said = await byBoto3(given);
    expect(said.map(({ operation, code }) => `${operation} ${code}`)).toEqual(
      given.map(({ operation, code = 'OK' }) => `${operation} ${code}`),
    );
    const flaws = said.flatMap(({ operation, flaws }) => flaws.map((flaw) => `${operation} ${flaw}`));
    expect(flaws.filter((flaw) => !flaw.endsWith(NEWER))).toEqual([]);
    const expected = said.map(({ operation, code, parsed }) => ({ operation, code, paths: parsed }));
    for (const [name, send] of [
      ['by-the-sdk', bySdk],
      ['by-the-cli', byCli],
    ] as const) {
      const read = [];
      for (const request of valid(name, member)) read.push({ operation: request.operation, ...(await send(request)) });
      expect(read, name).toEqual(expected);
    }
  });

  test('each request that breaks a constraint raises the service’s error in boto3', async () => {
    const broken = brokenRequests();
    const outcomes = await byBoto3(broken);
    const wrong = broken.flatMap(({ operation, title, code, status }, index) => {
      const got = outcomes[index]!;
      return !got.isAsGiven || (got.code === code && got.status === status)
        ? []
        : [`${operation} ${title}: ${code} ${status} is due; got ${got.code} ${got.status}`];
    });
    expect(wrong).toEqual([]);
    // boto3 changes, or cannot send, some values of a wrong type, and no others.
    const changed = broken.filter((_, index) => !outcomes[index]!.isAsGiven);
    expect(
      changed.filter(({ title }) => !/a wrong type|is null/.test(title)).map(({ operation, title }) => `${operation} ${title}`),
    ).toEqual([]);
    expect(broken.length - changed.length).toBeGreaterThan(1_000);
  });

  test('no request that is just within a constraint is refused for it in boto3', async () => {
    const border = borderRequests();
    const outcomes = await byBoto3(border);
    const wrong = border.flatMap(({ operation, title }, index) => {
      const { code, raw, isAsGiven } = outcomes[index]!;
      const isRefusedForIt = /failed to satisfy constraint|Serialization|InternalFailure/.test(`${code} ${raw ?? ''}`);
      return isAsGiven && !isRefusedForIt ? [] : [`${operation} ${title}: ${code} ${raw}`];
    });
    expect(wrong).toEqual([]);
  });

  /** For each error that breaking a constraint raises, one request; none that clients change. */
  const samples = [
    ...new Map(
      brokenRequests()
        .filter(({ operation, title }) => operation !== 'PutAuditEvents' && /is (below|above)|has another form|is missing/.test(title))
        .map((request) => [request.code, request] as const),
    ).values(),
  ];

  test('a request for each error raises it in the SDK', async () => {
    expect(samples.length).toBeGreaterThan(12);
    const raised = [];
    for (const request of samples) raised.push(`${request.operation} ${(await bySdk(request)).code}`);
    expect(raised).toEqual(samples.map(({ operation, code }) => `${operation} ${code}`));
  });

  test('a few raise it in the AWS CLI', async () => {
    const few = samples.slice(0, 6);
    const raised = [];
    for (const request of few) raised.push(`${request.operation} ${(await byCli(request)).code}`);
    expect(raised).toEqual(few.map(({ operation, code }) => `${operation} ${code}`));
  });
});

/** Paths of all members, sorted; what an empty list has in it is not known. */
function pathsOf(value: unknown): readonly string[] {
  const below = (inner: unknown, place: string): readonly string[] => {
    if (Array.isArray(inner)) return inner.flatMap((item) => below(item, `${place}[]`));
    if (typeof inner !== 'object' || inner === null || inner instanceof Date || inner instanceof Uint8Array) return [];
    return Object.entries(inner).flatMap(([name, item]) =>
      item === undefined || name === 'RecursiveLogging' ? [] : [`${place}.${name}`, ...below(item, `${place}.${name}`)],
    );
  };
  return [...new Set(below(value, ''))].sort();
}

function kebab(operation: string): string {
  return operation.replaceAll(/([a-z])([A-Z])/g, '$1-$2').toLowerCase();
}
