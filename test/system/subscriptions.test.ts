/**
 * Subscribers of a topic of this server, set up by the AWS CLI: a URL that confirms by the link it is sent, and a queue (moto). A
 * trail's deliveries and what callers publish reach both, over a restart as well.
 */
import { verify, X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findServer } from '../../src/cli/find-server.ts';
import { type AwsCli, awsCli, rootCli, untilSaid } from '../support/aws-cli.ts';
import { clientEnvironment, findAwsCli } from '../support/clients.ts';
import { MOTO_ACCOUNT as ACCOUNT, MOTO_KEY, type Moto, startMoto } from '../support/moto.ts';
import { runCli } from '../support/run-cli.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';
import { hasCommands } from '../support/start-tool.ts';
import { bucketPolicy } from '../support/trail-rig.ts';

const REGION = 'us-east-1';
const OTHER = '444455556666';
const BUCKET = 'evidence';
const TOPIC = `arn:aws:sns:${REGION}:${ACCOUNT}:deliveries`;
const QUEUE = `arn:aws:sqs:${REGION}:${ACCOUNT}:deliveries`;
const aws = await findAwsCli();
const hasMoto = hasCommands(['moto_server'], 'install `moto[server]` from PyPI to subscribe a queue');

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: Readonly<Record<string, string>>;
}

/** Listens on loopback and keeps what it is sent; while it is closed to messages it answers 503. */
class Sink {
  readonly received: Received[] = [];
  isOpen = true;
  readonly #server: Server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
    request.on('end', () => {
      if (this.isOpen) this.received.push({ headers: request.headers, body: JSON.parse(text) as Received['body'] });
      response.writeHead(this.isOpen ? 200 : 503).end();
    });
  });

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/notices`;
  }

  ofKind(kind: string): readonly Received[] {
    return this.received.filter(({ headers }) => headers['x-amz-sns-message-type'] === kind);
  }

  async stop(): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const topicPolicy = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Principal: { Service: 'cloudtrail.amazonaws.com' }, Action: 'SNS:Publish', Resource: TOPIC },
    { Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${OTHER}:root` }, Action: 'SNS:Subscribe', Resource: TOPIC },
  ],
});
const queuePolicy = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Principal: { Service: 'sns.amazonaws.com' },
      Action: 'sqs:SendMessage',
      Resource: QUEUE,
      Condition: { ArnEquals: { 'aws:SourceArn': TOPIC } },
    },
  ],
});

describe.skipIf(!hasMoto || aws === undefined)('subscribers of a topic of this server', () => {
  const sink = new Sink();
  let moto: Moto;
  let server: StartedServer;
  let folder: string;
  let flags: readonly string[];
  let endpoint: string;
  let ours: AwsCli;
  let other: AwsCli;
  let theirs: AwsCli;

  beforeAll(async () => {
    endpoint = await sink.start();
    moto = await startMoto();
    theirs = awsCli(aws!, clientEnvironment(moto.endpoint, MOTO_KEY, REGION));
    folder = await mkdtemp(join(tmpdir(), 'snowtrail-subscriptions-'));
    const config = join(folder, 'snowtrail.yaml');
    const delivery = { sqs: { endpoint: moto.endpoint, credentials: MOTO_KEY }, subscribers: { allow: ['127.0.0.1'] } };
    await writeFile(config, JSON.stringify({ delivery }));
    flags = ['--config', config, '--account-id', ACCOUNT, '--flush-interval', '1s'];
    server = await startServer({ flags });
    ours = await rootCli(aws!, server, REGION);
    expect((await runCli(['accounts', 'create', OTHER, '--data-dir', server.dataDir])).exitCode).toBe(0);
    const access = await findServer({ dataDir: server.dataDir, account: OTHER });
    other = awsCli(aws!, clientEnvironment(server.url, access, REGION));
    await ours('s3api', 'create-bucket', '--bucket', BUCKET);
    await ours('s3api', 'put-bucket-policy', '--bucket', BUCKET, '--policy', JSON.stringify(bucketPolicy(BUCKET, ACCOUNT)));
    await ours('sns', 'create-topic', '--name', 'deliveries');
  });

  afterAll(async () => {
    await server?.stop();
    await moto?.stop();
    await sink.stop();
    if (server) await rm(server.dataDir, { recursive: true, force: true });
    if (folder) await rm(folder, { recursive: true });
  });

  /** The CLI takes no endpoint for SQS from the environment. */
  const sqs = (operation: string) => ['sqs', operation, '--endpoint-url', moto.endpoint];
  const subscribe = ['sns', 'subscribe', '--topic-arn', TOPIC];
  const toSink = () => [...subscribe, '--protocol', 'http', '--notification-endpoint', endpoint];

  test('another account subscribes only where the policy of the topic lets it', async () => {
    expect(await other.refusal(...toSink())).toContain('(AuthorizationError)');
    expect(await other.refusal('sns', 'publish', '--topic-arn', TOPIC, '--message', 'x')).toContain('(AuthorizationError)');
    // As for a topic that is not there.
    const missing = await other.refusal(...subscribe.slice(0, -1), `${TOPIC}-2`, '--protocol', 'http', '--notification-endpoint', endpoint);
    expect(missing).toContain('(AuthorizationError)');
    await ours('sns', 'set-topic-attributes', '--topic-arn', TOPIC, '--attribute-name', 'Policy', '--attribute-value', topicPolicy);
    const { SubscriptionArn } = await other<{ SubscriptionArn: string }>(...toSink(), '--return-subscription-arn');
    expect(await other.refusal('sns', 'publish', '--topic-arn', TOPIC, '--message', 'x')).toContain('(AuthorizationError)');
    await other.text('sns', 'unsubscribe', '--subscription-arn', SubscriptionArn);
    sink.received.splice(0);
  });

  test('a URL confirms by the link that it is sent', async () => {
    expect(await ours(...toSink())).toEqual({ SubscriptionArn: 'pending confirmation' });
    const { body } = await untilSaid('the request to confirm', async () => sink.ofKind('SubscriptionConfirmation').at(-1));
    expect(body['SubscribeURL']).toMatch(new RegExp(`^${server.url}/`));
    const answer = await fetch(body['SubscribeURL']!);
    expect(answer.status).toBe(200);
    const arn = /<SubscriptionArn>(.*)<\/SubscriptionArn>/.exec(await answer.text())?.[1];
    const wrong = await fetch(body['SubscribeURL']!.replace(/.{8}$/, '00000000'));
    expect([wrong.status, await wrong.text()]).toEqual([400, expect.stringContaining('<Code>InvalidParameter</Code>')]);
    const { Subscriptions } = await ours<{ Subscriptions: object[] }>('sns', 'list-subscriptions');
    expect(Subscriptions).toEqual([{ SubscriptionArn: arn, Owner: ACCOUNT, Protocol: 'http', Endpoint: endpoint, TopicArn: TOPIC }]);
  });

  test('what it is sent is verified with the certificate that the message names, which anybody may read', async () => {
    const { MessageId } = await ours<{ MessageId: string }>('sns', 'publish', '--topic-arn', TOPIC, '--message', 'to be verified');
    const { body } = await untilSaid('the message', async () =>
      sink.ofKind('Notification').find((each) => each.body['MessageId'] === MessageId),
    );
    expect(body['SigningCertURL']).toMatch(new RegExp(`^${server.url}/SimpleNotificationService-[0-9a-f]{32}\\.pem$`));
    const { publicKey } = new X509Certificate(await (await fetch(body['SigningCertURL']!)).text());
    const names = ['Message', 'MessageId', 'Timestamp', 'TopicArn', 'Type'];
    const text = names.map((name) => `${name}\n${body[name]}\n`).join('');
    expect(verify('sha1', Buffer.from(text), publicKey, Buffer.from(body['Signature']!, 'base64'))).toBe(true);
    sink.received.splice(0);
  });

  test('a queue is subscribed at once', async () => {
    const attributes = JSON.stringify({ Policy: queuePolicy });
    await theirs(...sqs('create-queue'), '--queue-name', 'deliveries', '--attributes', attributes);
    const { SubscriptionArn } = await ours<{ SubscriptionArn: string }>(
      ...subscribe,
      '--protocol',
      'sqs',
      '--notification-endpoint',
      QUEUE,
    );
    const words = ['sns', 'set-subscription-attributes', '--subscription-arn', SubscriptionArn, '--attribute-name'];
    await ours(...words, 'RawMessageDelivery', '--attribute-value', 'true');
    expect(await ours.refusal(...words, 'FilterPolicy', '--attribute-value', '{}')).toContain('(InvalidParameter)');
    const { Attributes } = await ours<{ Attributes: object }>('sns', 'get-subscription-attributes', '--subscription-arn', SubscriptionArn);
    expect(Attributes).toMatchObject({ PendingConfirmation: 'false', RawMessageDelivery: 'true', Endpoint: QUEUE });
  });

  /** What the queue holds, taken from it. */
  async function fromQueue(): Promise<readonly string[]> {
    const words = ['--queue-url', `${moto.endpoint}/${ACCOUNT}/deliveries`, '--max-number-of-messages', '10'];
    const { Messages = [] } = await theirs<{ Messages?: { Body: string; ReceiptHandle: string }[] }>(...sqs('receive-message'), ...words);
    for (const { ReceiptHandle } of Messages)
      await theirs(...sqs('delete-message'), ...words.slice(0, 2), '--receipt-handle', ReceiptHandle);
    return Messages.map(({ Body }) => Body);
  }

  test('each delivery of a trail reaches both, and the key in it is there', async () => {
    await ours('cloudtrail', 'create-trail', '--name', 'main', '--s3-bucket-name', BUCKET, '--sns-topic-name', 'deliveries');
    await ours('cloudtrail', 'start-logging', '--name', 'main');
    // Something to deliver: the call itself is an event.
    await ours('cloudtrail', 'list-trails');
    const { headers, body } = await untilSaid('the notification', async () => sink.ofKind('Notification')[0]);
    expect(headers).toMatchObject({ 'x-amz-sns-topic-arn': TOPIC, 'x-amz-sns-message-id': body['MessageId'] });
    const told = JSON.parse(body['Message']!) as { s3Bucket: string; s3ObjectKey: string[] };
    expect(told.s3Bucket).toBe(BUCKET);
    await ours('s3api', 'head-object', '--bucket', BUCKET, '--key', told.s3ObjectKey[0]!);
    const first = await untilSaid('the message in the queue', async () => (await fromQueue())[0]);
    expect(JSON.parse(first)).toMatchObject({ s3Bucket: BUCKET });
  });

  test('F25 what was taken for a subscriber that is away is sent after a crash and a start', async () => {
    await ours('cloudtrail', 'stop-logging', '--name', 'main');
    sink.isOpen = false;
    const { MessageId } = await ours<{ MessageId: string }>('sns', 'publish', '--topic-arn', TOPIC, '--message', 'kept');
    await server.kill();
    sink.isOpen = true;
    server = await startServer({ flags, dataDir: server.dataDir });
    ours = await rootCli(aws!, server, REGION);
    const kept = await untilSaid('the message', async () =>
      sink.ofKind('Notification').find(({ body }) => body['MessageId'] === MessageId),
    );
    expect(kept.body['Message']).toBe('kept');
    await untilSaid('the message in the queue', async () => ((await fromQueue()).includes('kept') ? true : undefined));
    expect((await fetch(kept.body['UnsubscribeURL']!)).status).toBe(200);
    const { Subscriptions } = await ours<{ Subscriptions: object[] }>('sns', 'list-subscriptions-by-topic', '--topic-arn', TOPIC);
    expect(Subscriptions).toMatchObject([{ Protocol: 'sqs' }]);
  });
});
