import { beforeEach, describe, expect, test } from 'vitest';
import { SnsRig } from '../../test/support/sns-rig.ts';
import { HOME, STRANGER, TRAIL_ACCOUNT } from '../../test/support/trail-rig.ts';
import { isMailAddress, MailError } from '../store/mailer.ts';
import { builtInTopics } from './built-in-topics.ts';
import { confirmByLink } from './confirm-subscription.ts';
import { MAILS_MAX } from './deliveries.ts';
import { REQUESTS_MAX, REQUESTS_OF_ADDRESS_MAX } from './mail-requests.ts';
import type { SnsInput } from './sns-deps.ts';

const TOPIC = `arn:aws:sns:${HOME}:${TRAIL_ACCOUNT}:deliveries`;
const ANN = { TopicArn: TOPIC, Protocol: 'email', Endpoint: 'ann@example.org' };
const HOUR_MS = 3600 * 1000;
const THROTTLED = { code: 'Throttled', status: 429 };

let sns: SnsRig;

beforeEach(async () => {
  sns = new SnsRig();
  await sns.open();
  await sns.send('CreateTopic', { Name: 'deliveries' });
});

const publish = (more: SnsInput = {}) => sns.send('Publish', { TopicArn: TOPIC, Message: 'a message', ...more });
const linkIn = (text: string) => new URL(/https:\S+/.exec(text)![0]);
const attributes = async (arn: string): Promise<Record<string, string>> => {
  const { Attributes } = await sns.send('GetSubscriptionAttributes', { SubscriptionArn: arn });
  return Object.fromEntries((Attributes.entry as { key: string; value: string }[]).map(({ key, value }) => [key, value]));
};

/** Subscribes a mailbox and confirms it by the link that it got. @returns the subscription's ARN */
async function subscribe(more: SnsInput = {}): Promise<string> {
  await sns.send('Subscribe', { ...ANN, ...more });
  await sns.settle();
  const [{ text } = expect.unreachable('nothing was mailed')] = sns.mails.splice(0);
  const token = /Token[="]+(?:: ")?([0-9a-f]{96})/.exec(text)![1]!;
  return confirmByLink(sns.deps, { topic: TOPIC, token });
}

describe('mailboxes that are subscribed to a topic', () => {
  test('one is asked to confirm by a link to a page for people, and gets nothing before it does', async () => {
    expect(await sns.send('Subscribe', ANN)).toEqual({ SubscriptionArn: 'pending confirmation' });
    await publish();
    await sns.settle();
    const [mail, ...others] = sns.mails;
    expect(others).toEqual([]);
    expect(mail).toMatchObject({ to: 'ann@example.org', subject: 'Please confirm your subscription' });
    expect(mail!.text).toContain(`\n${TOPIC}\n`);
    const link = linkIn(mail!.text);
    expect(link.origin + link.pathname).toBe('https://audit.example/sns/confirm-subscription.html');
    expect([...link.searchParams.keys()]).toEqual(['TopicArn', 'Token']);
    const { Subscriptions } = await sns.send('ListSubscriptionsByTopic', { TopicArn: TOPIC });
    expect(Subscriptions.member).toMatchObject([
      { SubscriptionArn: 'PendingConfirmation', Protocol: 'email', Endpoint: 'ann@example.org' },
    ]);
  });

  test('a confirmed one gets each message as text, with its subject and a link that ends it', async () => {
    await sns.send('SetTopicAttributes', { TopicArn: TOPIC, AttributeName: 'DisplayName', AttributeValue: 'Audit' });
    const arn = await subscribe();
    const { MessageId } = await publish({ Subject: 'a subject' });
    await builtInTopics(sns.deps).publish(TOPIC, 'of a trail');
    await sns.settle();
    const [first, second] = sns.mails;
    expect(first).toMatchObject({
      to: 'ann@example.org',
      fromName: 'Audit',
      subject: 'a subject',
      id: `${MessageId}.${arn.split(':').at(-1)}`,
    });
    expect(first!.text).toMatch(/^a message\n\n--\n/);
    expect(first!.headers).toMatchObject({ 'x-amz-sns-message-id': MessageId, 'x-amz-sns-subscription-arn': arn });
    const link = linkIn(first!.text);
    expect([link.pathname, link.searchParams.get('SubscriptionArn')]).toEqual(['/sns/unsubscribe.html', arn]);
    expect(second).toMatchObject({ subject: 'Notification message', text: expect.stringMatching(/^of a trail\n/) });
  });

  test('`email-json` gets the whole message as JSON, and is asked in it', async () => {
    const arn = await subscribe({ Protocol: 'email-json' });
    const { MessageId } = await publish();
    await sns.settle();
    expect(JSON.parse(sns.mails[0]!.text)).toMatchObject({
      Type: 'Notification',
      MessageId,
      Message: 'a message',
      UnsubscribeURL: expect.stringContaining(encodeURIComponent(arn)),
    });
  });

  test('a text for each protocol is for these two as well', async () => {
    await subscribe();
    const texts = JSON.stringify({ default: 'for all', email: 'for mail', 'email-json': 'for programs' });
    await publish({ Message: texts, MessageStructure: 'json' });
    await sns.settle();
    expect(sns.mails[0]!.text).toMatch(/^for mail\n/);
  });

  test.each([
    'ann',
    'ann@',
    '@example.org',
    'ann@example.org, eve@example.org',
    'ann@example.org\r\nBcc: eve@example.org',
    'Ann <ann@example.org>',
    '"ann b"@example.org',
    'ann@[127.0.0.1]',
    'ann@-example.org',
    'ann@example..org',
    'a..n@example.org',
    'änn@example.org',
    `${'a'.repeat(65)}@example.org`,
    `ann@${'a.'.repeat(130)}org`,
    'mailto:ann@example.org@x',
    'ann@example.org?subject=x',
  ])('A81 `%s` is no address of one mailbox', async (address) => {
    expect(isMailAddress(address)).toBe(false);
    await expect(sns.decide('Subscribe', { ...ANN, Endpoint: address })).rejects.toMatchObject({ code: 'InvalidParameter', status: 400 });
  });

  test.each(['ann@example.org', "a.b+c_d-e'f!@mail.example.co", 'ann@localhost'])('`%s` is one', (address) => {
    expect(isMailAddress(address)).toBe(true);
  });

  test('are refused where no SMTP server is configured, which the refusal says; and never get the bare message', async () => {
    const raw = { 'Attributes.entry.1.key': 'RawMessageDelivery', 'Attributes.entry.1.value': 'true' };
    await expect(sns.decide('Subscribe', { ...ANN, ...raw })).rejects.toMatchObject({ code: 'InvalidParameter' });
    const arn = await subscribe();
    const set = { SubscriptionArn: arn, AttributeName: 'RawMessageDelivery', AttributeValue: 'true' };
    await expect(sns.decide('SetSubscriptionAttributes', set)).rejects.toMatchObject({ code: 'InvalidParameter' });
    sns.deps = { ...sns.deps, hasMailer: false };
    for (const Protocol of ['email', 'email-json'])
      await expect(sns.decide('Subscribe', { ...ANN, Protocol })).rejects.toMatchObject({
        code: 'InvalidParameter',
        message: expect.stringContaining('`delivery.smtp`'),
      });
  });
});

describe('what may be mailed', () => {
  test('an account asks one address no more often in a day than it may, whatever topics and protocols it names', async () => {
    await sns.send('CreateTopic', { Name: 'other' });
    const ways: SnsInput[] = [
      {},
      { Protocol: 'email-json' },
      { TopicArn: TOPIC.replace('deliveries', 'other') },
      { Endpoint: 'Ann@example.org' },
      {},
    ];
    expect(ways).toHaveLength(REQUESTS_OF_ADDRESS_MAX);
    for (const way of ways) {
      await sns.send('Subscribe', { ...ANN, ...way });
      await sns.settle();
    }
    expect(sns.mails).toHaveLength(REQUESTS_OF_ADDRESS_MAX);
    await expect(sns.decide('Subscribe', ANN)).rejects.toMatchObject(THROTTLED);
    await expect(sns.decide('Subscribe', { ...ANN, Protocol: 'email-json' })).rejects.toMatchObject(THROTTLED);
    await sns.send('Subscribe', { ...ANN, Endpoint: 'ben@example.org' });
    // The count is of each account, and tells it nothing of others.
    await sns.send('Subscribe', ANN, sns.trail.call(STRANGER));
    await sns.pass(24 * HOUR_MS);
    await sns.send('Subscribe', ANN);
  });

  test('a request that waits already is not counted again, and a confirmed mailbox is not asked', async () => {
    sns.refusal = new MailError('NoAnswer', 'away', { isFinal: false });
    for (let count = 0; count < 2 * REQUESTS_OF_ADDRESS_MAX; count++) await sns.send('Subscribe', ANN);
    sns.refusal = undefined;
    await sns.pass(60_000);
    expect(sns.mails).toHaveLength(1);
    await confirmByLink(sns.deps, { topic: TOPIC, token: linkIn(sns.mails[0]!.text).searchParams.get('Token')! });
    for (let count = 0; count < 2 * REQUESTS_OF_ADDRESS_MAX; count++) await sns.send('Subscribe', ANN);
    await sns.settle();
    expect(sns.mails).toHaveLength(1);
  });

  test('an account asks no more addresses in a day than it may, over a restart as well', async () => {
    for (let count = 0; count < REQUESTS_MAX; count++) await sns.send('Subscribe', { ...ANN, Endpoint: `ann${count}@example.org` });
    await sns.open();
    await expect(sns.decide('Subscribe', ANN)).rejects.toMatchObject(THROTTLED);
    await sns.send('Subscribe', { ...ANN, Protocol: 'https', Endpoint: 'https://hooks.example/' });
  });

  test('a mailbox gets no more in an hour than it may; the rest comes later, and the count outlives a restart', async () => {
    const arn = await subscribe();
    for (let count = 0; count < MAILS_MAX + 2; count++) await publish({ Message: `message ${count}` });
    for (let turns = 0; turns < 20; turns++) await sns.settle();
    // The request to confirm was one of them.
    expect(sns.mails).toHaveLength(MAILS_MAX - 1);
    expect(await attributes(arn)).toMatchObject({ LatestDeliveryError: 'Throttled', MessagesWaiting: '3' });
    await sns.open();
    await sns.pass(1_000);
    expect(sns.mails).toHaveLength(MAILS_MAX - 1);
    await sns.pass(HOUR_MS);
    expect(sns.mails).toHaveLength(MAILS_MAX + 2);
    expect(new Set(sns.mails.map(({ id }) => id)).size).toBe(MAILS_MAX + 2);
    expect(await attributes(arn)).not.toHaveProperty('LatestDeliveryError');
  });

  test('F25 what the SMTP server does not take now is mailed later; what it will never take is given up at once, and counted', async () => {
    const arn = await subscribe();
    sns.refusal = new MailError('Smtp451', 'later', { isFinal: false });
    await publish();
    await sns.settle();
    expect(await attributes(arn)).toMatchObject({ LatestDeliveryError: 'Smtp451', MessagesWaiting: '1' });
    sns.refusal = undefined;
    await sns.open();
    await sns.pass(60_000);
    expect(sns.mails).toHaveLength(1);
    sns.refusal = new MailError('Smtp550', 'no such mailbox', { isFinal: true });
    await publish();
    await sns.settle();
    expect(sns.problems.at(-1)).toMatchObject({ kind: 'given-up', subscription: arn });
    const status = await attributes(arn);
    expect(status).toMatchObject({ LatestDeliveryError: 'Smtp550', MessagesGivenUp: '1' });
    expect(status).not.toHaveProperty('MessagesWaiting');
  });

  test('a request to confirm may take hours', async () => {
    sns.refusal = new MailError('Smtp450', 'greylisted', { isFinal: false });
    await sns.send('Subscribe', ANN);
    await sns.pass(2 * HOUR_MS);
    sns.refusal = undefined;
    await sns.pass(HOUR_MS);
    expect(sns.mails).toHaveLength(1);
  });
});
