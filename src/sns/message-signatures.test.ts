/**
 * Signatures of messages, held against AWS's own validator (`sns-validator`) and against the documented text, written out here.
 */
import { verify, X509Certificate } from 'node:crypto';
import { EventEmitter } from 'node:events';
import https from 'node:https';
import MessageValidator from 'sns-validator';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { SnsRig } from '../../test/support/sns-rig.ts';
import { HOME, TRAIL_ACCOUNT } from '../../test/support/trail-rig.ts';
import { MessageSigner } from './message-signer.ts';
import type { SnsInput } from './sns-deps.ts';

const TOPIC = `arn:aws:sns:${HOME}:${TRAIL_ACCOUNT}:deliveries`;
const QUEUE = `arn:aws:sqs:${HOME}:${TRAIL_ACCOUNT}:deliveries`;
const SINK = { TopicArn: TOPIC, Protocol: 'https', Endpoint: 'https://hooks.example/' };

type Envelope = Record<string, string>;

let sns: SnsRig;

beforeEach(async () => {
  sns = new SnsRig();
  await sns.open();
  sns.answer('https://hooks.example');
  await sns.send('CreateTopic', { Name: 'deliveries' });
  // The validator gets the certificate where the message says.
  vi.spyOn(https, 'get').mockImplementation(((url: string, done: (response: EventEmitter) => void) => {
    const response = Object.assign(new EventEmitter(), { statusCode: url === `https://audit.example${sns.signer.path}` ? 200 : 404 });
    void sns.signer.certificate().then((pem) => {
      done(response);
      response.emit('data', Buffer.from(pem!));
      response.emit('end');
    });
    return new EventEmitter();
  }) as typeof https.get);
});

afterEach(() => vi.restoreAllMocks());

const set = (AttributeName: string, AttributeValue: string) =>
  sns.send('SetTopicAttributes', { TopicArn: TOPIC, AttributeName, AttributeValue });
const publish = async (more: SnsInput = {}): Promise<Envelope> => {
  await sns.send('Publish', { TopicArn: TOPIC, Message: 'a message', ...more });
  await sns.settle();
  return sns.taken()[0]!.body as Envelope;
};

async function subscribe(): Promise<Envelope> {
  await sns.send('Subscribe', SINK);
  await sns.settle();
  const body = sns.taken()[0]!.body as Envelope;
  await sns.send('ConfirmSubscription', { TopicArn: TOPIC, Token: body['Token']! });
  return body;
}

/** What AWS's validator says; `undefined` where it is content. */
const complaint = (envelope: Envelope): Promise<string | undefined> =>
  new Promise((resolve) => new MessageValidator(/^audit\.example$/).validate({ ...envelope }, (error) => resolve(error?.message)));

/** The documented check. */
async function isSigned(envelope: Envelope): Promise<boolean> {
  const names =
    envelope['Type'] === 'Notification'
      ? ['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn', 'Type']
      : ['Message', 'MessageId', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type'];
  const text = names.filter((name) => name in envelope).reduce((said, name) => `${said}${name}\n${envelope[name]}\n`, '');
  const { publicKey } = new X509Certificate((await sns.signer.certificate())!);
  const hash = { '1': 'sha1', '2': 'sha256' }[envelope['SignatureVersion']!];
  return verify(hash, Buffer.from(text), publicKey, Buffer.from(envelope['Signature']!, 'base64'));
}

async function expectSigned(envelope: Envelope, version: '1' | '2'): Promise<void> {
  expect(envelope).toMatchObject({ SignatureVersion: version, SigningCertURL: `https://audit.example${sns.signer.path}` });
  expect(await complaint(envelope)).toBeUndefined();
  expect(await isSigned(envelope)).toBe(true);
}

describe('signatures of messages', () => {
  test('requests to confirm and notifications are signed, with and without a subject, whatever characters they have', async () => {
    await expectSigned(await subscribe(), '1');
    await expectSigned(await publish(), '1');
    await expectSigned(await publish({ Subject: 'a "subject"' }), '1');
    await expectSigned(await publish({ Message: 'Zürich\n\u2028Type\nforged\n\u{1f600}"\\\u0000' }), '1');
  });

  test('a topic may choose SHA-256, which its attributes say', async () => {
    await set('SignatureVersion', '2');
    await expectSigned(await subscribe(), '2');
    await expectSigned(await publish(), '2');
    const { Attributes } = await sns.send('GetTopicAttributes', { TopicArn: TOPIC });
    expect(Attributes.entry).toContainEqual({ key: 'SignatureVersion', value: '2' });
    await set('SignatureVersion', '1');
    await expectSigned(await publish(), '1');
    await expect(set('SignatureVersion', '3')).rejects.toMatchObject({ code: 'InvalidParameter' });
  });

  test('a message that was changed is found out', async () => {
    await subscribe();
    const message = await publish({ Subject: 'a subject' });
    for (const name of ['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn']) {
      const changed = { ...message, [name]: `${message[name]}x` };
      expect(await complaint(changed), name).toBe('The message signature is invalid.');
      expect(await isSigned(changed), name).toBe(false);
    }
  });

  test('envelopes in queues and in mail are signed as well; a bare message is its text alone', async () => {
    const queue = {
      texts: [] as string[],
      policy: JSON.stringify({ Statement: [{ Effect: 'Allow', Principal: '*', Action: 'sqs:SendMessage', Resource: QUEUE }] }),
    };
    sns.queues.set(QUEUE, queue);
    const { SubscriptionArn } = await sns.send('Subscribe', { TopicArn: TOPIC, Protocol: 'sqs', Endpoint: QUEUE });
    await sns.send('Subscribe', { TopicArn: TOPIC, Protocol: 'email-json', Endpoint: 'robot@example.org' });
    await sns.send('Publish', { TopicArn: TOPIC, Message: 'a message' });
    await sns.settle();
    await expectSigned(JSON.parse(queue.texts[0]!) as Envelope, '1');
    await expectSigned(JSON.parse(sns.mails[0]!.text) as Envelope, '1');
    await sns.send('SetSubscriptionAttributes', { SubscriptionArn, AttributeName: 'RawMessageDelivery', AttributeValue: 'true' });
    await sns.send('Publish', { TopicArn: TOPIC, Message: 'a message' });
    await sns.settle();
    expect(queue.texts[1]).toBe('a message');
  });

  test('the key is made once, outlives a restart, and is kept wrapped', async () => {
    await subscribe();
    const before = await sns.signer.certificate();
    await sns.open();
    const message = await publish();
    expect(await sns.signer.certificate()).toBe(before);
    await expectSigned(message, '1');
    const [stored] = await sns.trail.catalog.list<{ wrappedKey: string; certificate: string }>(['sns-signing-key']);
    expect(Object.keys(stored!.value)).toEqual(['wrappedKey', 'certificate']);
    const wrapped = new Uint8Array(Buffer.from(stored!.value.wrappedKey, 'base64'));
    await expect(sns.trail.keys.unwrap(wrapped, 'another context')).rejects.toThrow();
  });

  test('the certificate is of X.509, names the installation, and signs itself; before the first message there is none', async () => {
    const certificate = new X509Certificate((await sns.signer.certificate())!);
    expect(certificate.subject).toBe('CN=snowtrail/test');
    expect(certificate.issuer).toBe(certificate.subject);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(certificate.ca).toBe(false);
    const nowMs = sns.trail.clock.nowMs();
    expect(Date.parse(certificate.validFrom)).toBeLessThan(nowMs);
    expect(Date.parse(certificate.validTo)).toBeGreaterThan(nowMs + 19 * 365 * 24 * 3600 * 1000);
    const { keys, clock, chance } = sns.trail;
    const catalog = new SnsRig().trail.catalog;
    const signer = await MessageSigner.open({ catalog, keys, clock, chance, name: 'snowtrail/test' });
    expect(signer.path).toMatch(/^\/SimpleNotificationService-[0-9a-f]{32}\.pem$/);
    expect(await signer.certificate()).toBeUndefined();
  });
});
