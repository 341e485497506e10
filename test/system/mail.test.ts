/**
 * Mailboxes that are subscribed to a topic of this server, by the AWS CLI and a real SMTP server: asked to confirm, told of a trail's
 * deliveries and of what callers publish, over a crash as well, and rid of it by the link in a mail.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EpochMs } from '../../src/event/types.ts';
import { generateRsaKey } from '../../src/store/keyring.ts';
import { makeSigningCertificate } from '../../src/store/signing-certificate.ts';
import { type AwsCli, rootCli, untilSaid } from '../support/aws-cli.ts';
import { findAwsCli } from '../support/clients.ts';
import { readMail, type SmtpSink, startSmtpSink } from '../support/smtp-sink.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';
import { bucketPolicy } from '../support/trail-rig.ts';

const REGION = 'us-east-1';
const ACCOUNT = '111122223333';
const BUCKET = 'evidence';
const TOPIC = `arn:aws:sns:${REGION}:${ACCOUNT}:deliveries`;
const PASSWORD = 'a-password-of-the-test';
const aws = await findAwsCli();

const topicPolicy = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { Service: 'cloudtrail.amazonaws.com' }, Action: 'SNS:Publish', Resource: TOPIC }],
});

describe.skipIf(aws === undefined)('mail to subscribers of a topic', () => {
  let smtp: SmtpSink;
  let server: StartedServer;
  let folder: string;
  let flags: readonly string[];
  let env: Readonly<Record<string, string>>;
  let cli: AwsCli;
  let isSmtpOpen = true;
  let said = '';

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'snowtrail-mail-'));
    const key = await generateRsaKey();
    const nowMs = Date.now() as EpochMs;
    const certificate = await makeSigningCertificate(key, { name: 'localhost', serialNumber: new Uint8Array(16), nowMs });
    await writeFile(join(folder, 'authority.pem'), certificate);
    smtp = await startSmtpSink({
      // It takes no password and no mail before the line is encrypted.
      disabledCommands: [],
      authOptional: false,
      key: key.export({ type: 'pkcs8', format: 'pem' }),
      cert: certificate,
      onAuth: ({ username, password }, _session, done) =>
        username === 'audit' && password === PASSWORD ? done(null, { user: username }) : done(new Error('who are you')),
      onMailFrom: (_address, _session, done) => done(isSmtpOpen ? null : Object.assign(new Error('not now'), { responseCode: 451 })),
    });
    await writeFile(join(folder, 'password'), `${PASSWORD}\n`, { mode: 0o600 });
    const config = join(folder, 'snowtrail.yaml');
    const mail = {
      host: 'localhost',
      port: smtp.port,
      from: 'audit@example.com',
      user: 'audit',
      passwordFile: join(folder, 'password'),
    };
    await writeFile(config, JSON.stringify({ delivery: { smtp: mail } }));
    flags = ['--config', config, '--account-id', ACCOUNT, '--flush-interval', '1s'];
    env = { NODE_EXTRA_CA_CERTS: join(folder, 'authority.pem') };
    server = await startServer({ flags, env });
    cli = await rootCli(aws!, server, REGION);
    await cli('sns', 'create-topic', '--name', 'deliveries', '--attributes', 'DisplayName=Audit of Winterday');
    await cli('sns', 'set-topic-attributes', '--topic-arn', TOPIC, '--attribute-name', 'Policy', '--attribute-value', topicPolicy);
  });

  afterAll(async () => {
    await server?.stop();
    await smtp?.stop();
    if (server) await rm(server.dataDir, { recursive: true, force: true });
    if (folder) await rm(folder, { recursive: true });
  });

  const subscribe = ['sns', 'subscribe', '--topic-arn', TOPIC, '--protocol'];
  /** Takes the oldest mail that nobody looked at. */
  const nextMail = () =>
    untilSaid('a mail', async () => {
      const taken = smtp.taken.shift();
      return taken === undefined ? undefined : { ...taken, ...readMail(taken.raw) };
    });
  const linkIn = (text: string) => /http:\S+/.exec(text)![0];
  const page = async (url: string) => {
    const answer = await fetch(url);
    return { status: answer.status, headers: answer.headers, body: await answer.text() };
  };
  const listed = async () => (await cli<{ Subscriptions: { SubscriptionArn: string }[] }>('sns', 'list-subscriptions')).Subscriptions;

  test('a mailbox confirms by the page that its mail links to, and not because something opened the link', async () => {
    expect(await cli(...subscribe, 'email', '--notification-endpoint', 'ann@example.org')).toEqual({
      SubscriptionArn: 'pending confirmation',
    });
    const { from, to, user, isSecure, head, text } = await nextMail();
    expect({ from, to, user }).toEqual({ from: 'audit@example.com', to: ['ann@example.org'], user: 'audit' });
    expect(isSecure).toBe(true);
    expect(head).toMatchObject({ from: 'Audit of Winterday <audit@example.com>', subject: 'Please confirm your subscription' });
    const link = linkIn(text);
    expect(link).toMatch(new RegExp(`^${server.url}/sns/confirm-subscription\\.html\\?`));
    const asked = await page(link);
    expect([asked.status, asked.body]).toEqual([200, expect.stringContaining('<button>Confirm the subscription</button>')]);
    expect(asked.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect((await fetch(`${link}&sure=yes`, { method: 'HEAD' })).status).toBe(200);
    expect(await listed()).toMatchObject([{ SubscriptionArn: 'PendingConfirmation' }]);
    const wrong = await page(`${link.replace(/.{8}$/, '00000000')}&sure=yes`);
    expect([wrong.status, wrong.body]).toEqual([400, expect.stringContaining('This did not work')]);
    expect((await page(`${link}&sure=yes`)).body).toContain('The subscription is confirmed');
    expect(await listed()).toMatchObject([{ SubscriptionArn: expect.stringContaining(`${TOPIC}:`), Protocol: 'email' }]);
  });

  test('a page shows nothing of what its address holds as markup', async () => {
    const { body } = await page(
      `${server.url}/sns/unsubscribe.html?SubscriptionArn=${encodeURIComponent('"><script>x</script>')}&Token=${encodeURIComponent('"')}`,
    );
    expect(body).not.toContain('<script>');
    expect(body).toContain('value="&quot;"');
  });

  test('a program that reads mail confirms by the call', async () => {
    await cli(...subscribe, 'email-json', '--notification-endpoint', 'robot@example.org');
    const { to, text } = await nextMail();
    expect(to).toEqual(['robot@example.org']);
    const { Token, SubscribeURL } = JSON.parse(text) as { Token: string; SubscribeURL: string };
    expect((await fetch(SubscribeURL, { method: 'HEAD' })).status).toBe(200);
    expect((await listed()).map(({ SubscriptionArn }) => SubscriptionArn)).toContain('PendingConfirmation');
    await cli('sns', 'confirm-subscription', '--topic-arn', TOPIC, '--token', Token);
    expect((await listed()).map(({ SubscriptionArn }) => SubscriptionArn)).not.toContain('PendingConfirmation');
  });

  test('each delivery of a trail is mailed to both', async () => {
    await cli('s3api', 'create-bucket', '--bucket', BUCKET);
    await cli('s3api', 'put-bucket-policy', '--bucket', BUCKET, '--policy', JSON.stringify(bucketPolicy(BUCKET, ACCOUNT)));
    await cli('cloudtrail', 'create-trail', '--name', 'main', '--s3-bucket-name', BUCKET, '--sns-topic-name', 'deliveries');
    await cli('cloudtrail', 'start-logging', '--name', 'main');
    // Something to deliver: the call itself is an event.
    await cli('cloudtrail', 'list-trails');
    const mails = [await nextMail(), await nextMail()];
    const ofAnn = mails.find(({ to }) => to[0] === 'ann@example.org')!;
    const ofRobot = mails.find(({ to }) => to[0] === 'robot@example.org')!;
    expect(ofAnn.text).toMatch(/^\{"s3Bucket":"evidence","s3ObjectKey":\["AWSLogs\/.*\.json\.gz"\]\}\n/);
    const { Message } = JSON.parse(ofRobot.text) as { Message: string };
    expect(ofAnn.text).toContain(Message);
    await cli('cloudtrail', 'stop-logging', '--name', 'main');
    await cli('cloudtrail', 'delete-trail', '--name', 'main');
  });

  test('F25 what the SMTP server did not take is mailed after a crash and a start, and the way out is in it', async () => {
    isSmtpOpen = false;
    const publish = ['sns', 'publish', '--topic-arn', TOPIC, '--subject', 'kept', '--message', 'kept over a crash'];
    const { MessageId } = await cli<{ MessageId: string }>(...publish);
    said = await untilSaid('what the log says of it', async () => (server.stderr().includes('451') ? server.stderr() : undefined));
    await server.kill();
    isSmtpOpen = true;
    server = await startServer({ flags, env, dataDir: server.dataDir });
    cli = await rootCli(aws!, server, REGION);
    let mail = await nextMail();
    while (mail.head['x-amz-sns-message-id'] !== MessageId || mail.to[0] !== 'ann@example.org') mail = await nextMail();
    expect(mail.head).toMatchObject({ subject: 'kept' });
    expect(mail.text).toMatch(/^kept over a crash\n/);
    const link = linkIn(mail.text);
    expect((await page(link)).body).toContain('<button>End the subscription</button>');
    expect((await page(`${link}&sure=yes`)).body).toContain('The subscription has ended');
    expect(await listed()).toMatchObject([{ Protocol: 'email-json' }]);
  });

  test('A85 the password of the SMTP server is in no line of the log', async () => {
    for (const log of [said, server.stderr()]) {
      expect(log).not.toContain(PASSWORD);
      expect(log).not.toContain(Buffer.from(PASSWORD).toString('base64'));
    }
  });
});
