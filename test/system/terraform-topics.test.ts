/**
 * Topics, their policies and their subscriptions as Terraform's AWS provider makes, reads, changes and deletes them.
 *
 * The URL confirms by itself, as `endpoint_auto_confirms` says; nothing is sent to the queue and the mailbox, which are not there.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type StartedServer, startServer } from '../support/start-server.ts';
import { hasTerraform, Terraform, terraformEnvironment, topic } from '../support/terraform.ts';

const ACCOUNT = '123837392027';
const REGION = 'us-east-1';
const TOPIC = `arn:aws:sns:${REGION}:${ACCOUNT}:winterday-deliveries`;

/** Follows the link of each request to confirm. */
const sink = createServer((request, response) => {
  let text = '';
  request.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
  });
  request.on('end', () => {
    response.end();
    const { SubscribeURL } = JSON.parse(text) as { SubscribeURL?: string };
    if (SubscribeURL !== undefined) void fetch(SubscribeURL);
  });
});

describe.skipIf(!hasTerraform)('Terraform', () => {
  let server: StartedServer;
  let folder: string;
  let terraform: Terraform;
  let endpoint: string;

  beforeAll(async () => {
    await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve));
    endpoint = `http://127.0.0.1:${(sink.address() as AddressInfo).port}/notices`;
    folder = await mkdtemp(join(tmpdir(), 'snowtrail-topics-'));
    const config = join(folder, 'snowtrail.yaml');
    const credentials = { accessKeyId: 'EXAMPLEKEYID', secretAccessKey: 'example-secret-access-key' };
    // Port 9 discards.
    const sqs = { endpoint: 'http://127.0.0.1:9', credentials };
    const smtp = { host: '127.0.0.1', port: 9, tls: 'none', from: 'audit@example.com' };
    await writeFile(config, JSON.stringify({ delivery: { sqs, smtp, subscribers: { allow: ['127.0.0.1'] } } }));
    server = await startServer({ flags: ['--config', config, '--account-id', ACCOUNT, '--region', REGION] });
    terraform = await Terraform.begin(await terraformEnvironment(server, { account: ACCOUNT, region: REGION }));
  });

  afterAll(async () => {
    await terraform?.end();
    await server?.stop();
    await new Promise((resolve) => sink.close(resolve));
    if (server) await rm(server.dataDir, { recursive: true, force: true });
    if (folder) await rm(folder, { recursive: true });
  });

  const subscription = (name: string, settings: string) => `
resource "aws_sns_topic_subscription" "${name}" {
  topic_arn = aws_sns_topic.deliveries.arn
${settings}
}
`;
  const url = () =>
    subscription(
      'url',
      `  protocol = "http"\n  endpoint = "${endpoint}"\n  endpoint_auto_confirms = true\n  confirmation_timeout_in_minutes = 1`,
    );
  const queue = (isRaw: boolean) =>
    subscription(
      'queue',
      `  protocol = "sqs"\n  endpoint = "arn:aws:sqs:${REGION}:${ACCOUNT}:deliveries"\n  raw_message_delivery = ${isRaw}`,
    );
  const mailbox = subscription('mailbox', '  protocol = "email"\n  endpoint = "ann@example.org"');

  test('a topic with its policy and tags: applied, changed, imported and destroyed without a difference', async () => {
    await terraform.converge(topic());
    expect(await terraform.read('aws_sns_topic.deliveries')).toMatchObject({
      arn: TOPIC,
      owner: ACCOUNT,
      signature_version: 0,
      tracing_config: '',
    });
    const settings =
      '  display_name = "Audit"\n  signature_version = 2\n  tracing_config = "PassThrough"\n  tags = { team = "audit", env = "test" }';
    await terraform.converge(topic(settings));
    const changed = { display_name: 'Audit', signature_version: 2, tracing_config: 'PassThrough', tags: { team: 'audit', env: 'test' } };
    expect(await terraform.read('aws_sns_topic.deliveries')).toMatchObject(changed);
    await terraform.converge(topic('  tags = { team = "security" }'));
    await terraform.reimport('aws_sns_topic.deliveries', TOPIC);
    await terraform.expectNothingToDo();
    expect(await terraform.read('aws_sns_topic.deliveries')).toMatchObject({ display_name: '', tags: { team: 'security' } });
    await terraform.destroy();
  });

  test('its subscriptions: a URL that confirms, a queue and a mailbox, likewise', async () => {
    await terraform.converge(topic() + url() + queue(false) + mailbox);
    const confirmed = { pending_confirmation: false, confirmation_was_authenticated: false, endpoint };
    expect(await terraform.read('aws_sns_topic_subscription.url')).toMatchObject(confirmed);
    expect(await terraform.read('aws_sns_topic_subscription.mailbox')).toMatchObject({ pending_confirmation: true });
    await terraform.converge(topic() + url() + queue(true));
    const applied = await terraform.read('aws_sns_topic_subscription.queue');
    expect(applied).toMatchObject({ raw_message_delivery: true, pending_confirmation: false });
    await terraform.reimport('aws_sns_topic_subscription.queue', applied['arn'] as string);
    // How long Terraform itself waits is in its configuration alone, and comes back with the next apply.
    const ofTerraform = { confirmation_timeout_in_minutes: null, endpoint_auto_confirms: null };
    expect(await terraform.read('aws_sns_topic_subscription.queue')).toEqual({ ...applied, ...ofTerraform });
    await terraform.destroy();
  });
});
