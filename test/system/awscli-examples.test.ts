/**
 * The examples of the AWS CLI's reference for CloudTrail, each run as it is written there.
 *
 * An answer has at least the members that the example shows, each with a value of the kind shown; ours has newer members beside them.
 * Trail1 delivers to a bucket, a topic and the log group of a moto, so that there is something to show.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AwsCli, awsCli, rootCli, untilSaid } from '../support/aws-cli.ts';
import { clientEnvironment, findAwsCli } from '../support/clients.ts';
import { MOTO_ACCOUNT as ACCOUNT, MOTO_KEY, type Moto, startMoto } from '../support/moto.ts';
import { runCli } from '../support/run-cli.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';
import { hasCommands } from '../support/start-tool.ts';
import { testDataFolder } from '../support/test-data.ts';
import { bucketPolicy } from '../support/trail-rig.ts';

const REGION = 'us-east-1';
const TOPIC = `arn:aws:sns:${REGION}:${ACCOUNT}:my-topic`;
const GROUP = `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:CloudTrail:*`;
const ROLE = `arn:aws:iam::${ACCOUNT}:role/CloudTrail_CloudWatchLogs_Role`;
const Principal = { Service: 'cloudtrail.amazonaws.com' };
const policy = (...Statement: object[]) => JSON.stringify({ Version: '2012-10-17', Statement });
const toTopic = (arn: string) => policy({ Effect: 'Allow', Principal, Action: 'SNS:Publish', Resource: arn });

const aws = await findAwsCli();
const hasMoto = hasCommands(['moto_server'], 'install `moto[server]` from PyPI to deliver to CloudWatch Logs');
const data = testDataFolder();

interface Example {
  readonly file: string;
  readonly command: string;
  readonly output: string | null;
  readonly output_json?: unknown;
}

describe.skipIf(!hasMoto || aws === undefined || data === undefined)('examples of the AWS CLI', () => {
  let moto: Moto;
  let server: StartedServer;
  let folder: string;
  let cli: AwsCli;
  let examples: ReadonlyMap<string, Example>;

  beforeAll(async () => {
    const lines = (await readFile(join(data!, 'awscli-examples', 'examples.jsonl'), 'utf8')).trim().split('\n');
    const all = lines.map((line) => JSON.parse(line) as Example);
    examples = new Map(all.map((example) => [/([^/]+)\.rst$/.exec(example.file)![1]!, example]));
    moto = await startMoto();
    const theirs = awsCli(aws!, clientEnvironment(moto.endpoint, MOTO_KEY, REGION));
    await theirs('logs', 'create-log-group', '--log-group-name', 'CloudTrail');
    const trust = policy({ Effect: 'Allow', Principal: { AWS: '*' }, Action: 'sts:AssumeRole' });
    const write = policy({ Effect: 'Allow', Action: 'logs:*', Resource: '*' });
    const named = ['--role-name', 'CloudTrail_CloudWatchLogs_Role'];
    await theirs('iam', 'create-role', ...named, '--assume-role-policy-document', trust);
    await theirs('iam', 'put-role-policy', ...named, '--policy-name', 'p', '--policy-document', write);

    folder = await mkdtemp(join(tmpdir(), 'snowtrail-examples-'));
    const config = join(folder, 'snowtrail.yaml');
    await writeFile(config, JSON.stringify({ delivery: { logs: { endpoint: moto.endpoint, credentials: MOTO_KEY } } }));
    await writeFile(join(folder, 'bucket.json'), JSON.stringify(bucketPolicy('<BucketName>', '<CustomerAccountID>')));
    await writeFile(join(folder, 'topic.json'), toTopic('arn:aws:sns:<Region>:<SNSTopicOwnerAccountId>:<SNSTopicName>'));
    const flags = ['--config', config, '--account-id', ACCOUNT, '--flush-interval', '1s', '--digest-interval', '5s'];
    server = await startServer({ flags });
    cli = await rootCli(aws!, server, REGION);
  });

  afterAll(async () => {
    await server?.stop();
    await moto?.stop();
    if (server) await rm(server.dataDir, { recursive: true, force: true });
    if (folder) await rm(folder, { recursive: true });
  });

  const makeBucket = async (bucket: string, prefix?: string) => {
    await cli('s3api', 'create-bucket', '--bucket', bucket);
    await cli('s3api', 'put-bucket-policy', '--bucket', bucket, '--policy', JSON.stringify(bucketPolicy(bucket, ACCOUNT, prefix)));
  };
  const text = async (name: string, ...more: string[]) => {
    const words = examples.get(name)!.command.replaceAll('\\\n', ' ').trim().split(/\s+/);
    return cli.text(...words.slice(1), ...more);
  };
  const answersAsShown = async (name: string) => {
    const said = JSON.parse(await text(name)) as unknown;
    expect(missing(examples.get(name)!.output_json, said), name).toEqual([]);
  };

  test('each answers in the form shown, and all have been run', { timeout: 240_000 }, async () => {
    const run = new Set<string>();
    const shown = async (name: string) => {
      await answersAsShown(name);
      run.add(name);
    };
    const silent = async (name: string) => {
      expect(await text(name), name).toBe('');
      run.add(name);
    };

    await makeBucket('first');
    await cli('cloudtrail', 'create-trail', '--name', 'Trail1', '--s3-bucket-name', 'first');
    // Without policies of its own the command reads them from a bucket of AWS.
    const bucketFile = `file://${join(folder, 'bucket.json')}`;
    const topicFile = `file://${join(folder, 'topic.json')}`;
    const said = await text('update-subscription', '--s3-custom-policy', bucketFile, '--sns-custom-policy', topicFile);
    const afterHeading = (output: string) => {
      const [steps, settings] = output.split('CloudTrail configuration:\n');
      return { steps: steps!.split('\n'), settings: parseFirst(settings!) };
    };
    const expected = afterHeading(examples.get('update-subscription')!.output!);
    const given = afterHeading(said);
    expect(given.steps).toEqual(expected.steps);
    expect(missing((expected.settings as { trailList: unknown }).trailList, (given.settings as { trailList: unknown }).trailList)).toEqual(
      [],
    );
    run.add('update-subscription');
    await silent('delete-trail');
    await shown('create-trail');

    await cli('sns', 'create-topic', '--name', 'my-topic');
    await cli('sns', 'set-topic-attributes', '--topic-arn', TOPIC, '--attribute-name', 'Policy', '--attribute-value', toTopic(TOPIC));
    const logs = ['--cloud-watch-logs-log-group-arn', GROUP, '--cloud-watch-logs-role-arn', ROLE];
    await cli('cloudtrail', 'update-trail', '--name', 'Trail1', '--sns-topic-name', 'my-topic', '--enable-log-file-validation', ...logs);
    const keyPolicy = policy(
      { Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` }, Action: 'kms:*', Resource: '*' },
      { Effect: 'Allow', Principal, Action: ['kms:GenerateDataKey*', 'kms:DescribeKey'], Resource: '*' },
    );
    const { KeyMetadata } = await cli<{ KeyMetadata: { Arn: string } }>('kms', 'create-key', '--policy', keyPolicy);
    await makeBucket('amzn-s3-demo-bucket2', 'my-prefix');
    const second = ['--name', 'Trail2', '--s3-bucket-name', 'amzn-s3-demo-bucket2', '--s3-key-prefix', 'my-prefix'];
    await cli('cloudtrail', 'create-trail', ...second, '--kms-key-id', KeyMetadata.Arn);
    for (const operation of ['start-logging', 'stop-logging', 'start-logging']) await cli('cloudtrail', operation, '--name', 'Trail1');
    const selectors = JSON.stringify([{ ReadWriteType: 'All', IncludeManagementEvents: true, DataResources: [] }]);
    await cli('cloudtrail', 'put-event-selectors', '--trail-name', 'Trail1', '--event-selectors', selectors);
    const trail2 = `arn:aws:cloudtrail:${REGION}:${ACCOUNT}:trail/Trail2`;
    await cli('cloudtrail', 'add-tags', '--resource-id', trail2, '--tags-list', 'Key=name,Value=Bob');

    await silent('add-tags');
    await shown('list-tags');
    await shown('describe-trails');
    await shown('get-event-selectors');
    await shown('update-trail');

    // The sign-in that lookup-events shows, of today.
    const [event] = (examples.get('lookup-events')!.output_json as { Events: { CloudTrailEvent: string }[] }).Events;
    const record = { ...(JSON.parse(event!.CloudTrailEvent) as object), eventTime: `${new Date().toISOString().slice(0, 19)}Z` };
    const recorded = await runCli(['record', '-', '--data-dir', server.dataDir], { input: `${JSON.stringify(record)}\n` });
    expect(`${recorded.exitCode} ${recorded.stderr}`).toMatch(/^0 /);
    await untilSaid('the event', async () => ((await text('lookup-events')).includes('654ccbc0') ? true : undefined));
    await shown('lookup-events');

    const status = examples.get('get-trail-status')!.output_json;
    await untilSaid('a status with all that is shown', async () =>
      missing(status, JSON.parse(await text('get-trail-status'))).length === 0 ? true : undefined,
    );
    await shown('get-trail-status');

    const verdict = await untilSaid('a digest file', async () => {
      const now = await text('validate-logs');
      return /digest files? valid/.test(now) ? now : undefined;
    });
    expect(verdict.split('\n')).toEqual(
      expect.arrayContaining([
        expect.stringMatching(
          /^Validating log files for trail arn:aws:cloudtrail:us-east-1:123456789012:trail\/Trail1 between .* and .*Z$/,
        ),
        expect.stringMatching(/^Results requested for 2016-01-29T19:00:00Z to .*Z$/),
        expect.stringMatching(/^Results found for .*Z to .*Z:$/),
        expect.stringMatching(/^(\d+)\/\1 digest files valid/),
        expect.stringMatching(/^(\d+)\/\1 log files valid/),
      ]),
    );
    run.add('validate-logs');
    expect([...run].sort()).toEqual([...examples.keys()].sort());
  });
});

/** Reads the JSON that a text begins with; what the command says after it is none. */
function parseFirst(written: string): unknown {
  return JSON.parse(written.slice(0, written.lastIndexOf('}') + 1));
}

/** Places of what is shown that an answer lacks, or has with a value of another kind. */
function missing(shown: unknown, given: unknown, place = ''): readonly string[] {
  if (Array.isArray(shown)) {
    if (!Array.isArray(given) || given.length < shown.length) return [`${place}: a list of ${shown.length}`];
    return shown.flatMap((value, index) => missing(value, given[index], `${place}[${index}]`));
  }
  if (typeof shown === 'object' && shown !== null) {
    if (typeof given !== 'object' || given === null) return [`${place}: an object`];
    return Object.entries(shown).flatMap(([name, value]) => missing(value, (given as Record<string, unknown>)[name], `${place}.${name}`));
  }
  return kind(shown) === kind(given) ? [] : [`${place}: ${kind(shown)}, and not ${kind(given)}`];
}

/** The CLI writes times as numbers or as texts, by its version. */
function kind(value: unknown): string {
  const isTime = (typeof value === 'number' && value > 1e9) || (typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value));
  return isTime ? 'time' : typeof value;
}
