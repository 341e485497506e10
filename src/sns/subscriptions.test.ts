import { getEventListeners } from 'node:events';
import { beforeEach, describe, expect, test } from 'vitest';
import { SnsRig } from '../../test/support/sns-rig.ts';
import { HOME, STRANGER, TRAIL_ACCOUNT } from '../../test/support/trail-rig.ts';
import { OutboundFailed } from '../store/outbound.ts';
import { builtInTopics } from './built-in-topics.ts';
import { confirmByLink } from './confirm-subscription.ts';
import { unsubscribeByLink } from './end-subscription.ts';
import type { SnsInput } from './sns-deps.ts';
import { SUBSCRIPTIONS_MAX } from './subscription.ts';

const TOPIC = `arn:aws:sns:${HOME}:${TRAIL_ACCOUNT}:deliveries`;
const QUEUE = `arn:aws:sqs:${HOME}:${TRAIL_ACCOUNT}:deliveries`;
const URL_OF_SINK = 'https://hooks.example/notices';
const SINK = { TopicArn: TOPIC, Protocol: 'https', Endpoint: URL_OF_SINK };
const SIGNATURE = ['SignatureVersion', 'Signature', 'SigningCertURL'];
const DAY_MS = 24 * 3600 * 1000;

let sns: SnsRig;
let sink: { status: number };

beforeEach(async () => {
  sns = new SnsRig();
  await sns.open();
  await sns.send('CreateTopic', { Name: 'deliveries' });
  sink = sns.answer('https://hooks.example');
});

/** Subscribes the sink and confirms it by its token. @returns the subscription's ARN */
async function subscribe(more: SnsInput = {}): Promise<string> {
  await sns.send('Subscribe', { ...SINK, ...more });
  await sns.settle();
  const [{ body } = expect.unreachable('nothing was sent')] = sns.taken();
  return (await sns.send('ConfirmSubscription', { TopicArn: TOPIC, Token: body.Token })).SubscriptionArn as string;
}

const publish = (more: SnsInput = {}) => sns.send('Publish', { TopicArn: TOPIC, Message: 'a message', ...more });
const attributes = async (arn: string): Promise<Record<string, string>> => {
  const { Attributes } = await sns.send('GetSubscriptionAttributes', { SubscriptionArn: arn });
  return Object.fromEntries((Attributes.entry as { key: string; value: string }[]).map(({ key, value }) => [key, value]));
};
const listed = async () =>
  (await sns.send('ListSubscriptionsByTopic', { TopicArn: TOPIC })).Subscriptions.member as { SubscriptionArn: string }[];

describe('subscriptions of a topic', () => {
  test('a confirmation is a fact with hashes, as every change of a subscription', async () => {
    const arn = await subscribe();
    const entries = await sns.trail.journal.read(0n, 100);
    const facts = entries
      .filter(({ factKind }) => factKind === 'configuration')
      .map(({ bytes }) => JSON.parse(new TextDecoder().decode(bytes)));
    const [asked, confirmed] = facts.filter(({ resource }) => resource === arn);
    expect([asked.event, asked.beforeSha256, confirmed.event, confirmed.beforeSha256]).toEqual([
      'Subscribe',
      null,
      'ConfirmSubscription',
      asked.afterSha256,
    ]);
  });

  test('a URL is asked to confirm, in the form of the service, and gets nothing before it does', async () => {
    expect(await sns.send('Subscribe', SINK)).toEqual({ SubscriptionArn: 'pending confirmation' });
    await publish();
    await sns.settle();
    const [confirmation, ...others] = sns.taken();
    expect(others).toEqual([]);
    const { body, headers } = confirmation!;
    expect(headers).toMatchObject({
      'x-amz-sns-message-type': 'SubscriptionConfirmation',
      'x-amz-sns-message-id': body.MessageId,
      'x-amz-sns-topic-arn': TOPIC,
      'content-type': 'text/plain; charset=UTF-8',
    });
    expect(body).toMatchObject({ Type: 'SubscriptionConfirmation', TopicArn: TOPIC, Message: expect.stringContaining(TOPIC) });
    expect(Object.keys(body)).toEqual(['Type', 'MessageId', 'Token', 'TopicArn', 'Message', 'SubscribeURL', 'Timestamp', ...SIGNATURE]);
    expect(body.SubscribeURL).toBe(
      `https://audit.example/sns/confirm-subscription?TopicArn=${encodeURIComponent(TOPIC)}&Token=${body.Token}`,
    );
    expect(await listed()).toMatchObject([{ SubscriptionArn: 'PendingConfirmation', Owner: TRAIL_ACCOUNT, Endpoint: URL_OF_SINK }]);
  });

  test('a confirmed one gets each message, with the headers, and a link that ends it', async () => {
    const arn = await subscribe();
    expect(await listed()).toMatchObject([{ SubscriptionArn: arn }]);
    const { MessageId } = await publish({ Subject: 'a subject' });
    await sns.settle();
    const [{ headers, body } = expect.unreachable()] = sns.taken();
    expect(headers).toMatchObject({ 'x-amz-sns-message-type': 'Notification', 'x-amz-sns-subscription-arn': arn });
    const { Timestamp, UnsubscribeURL, Signature: _, ...rest } = body;
    const signed = { SignatureVersion: '1', SigningCertURL: `https://audit.example${sns.signer.path}` };
    expect(rest).toEqual({ Type: 'Notification', MessageId, TopicArn: TOPIC, Subject: 'a subject', Message: 'a message', ...signed });
    expect(Object.keys(body).slice(-5)).toEqual(['Timestamp', ...SIGNATURE, 'UnsubscribeURL']);
    expect(Timestamp).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    const link = new URL(UnsubscribeURL).searchParams;
    expect(link.get('SubscriptionArn')).toBe(arn);
    await unsubscribeByLink(sns.deps, { arn, token: link.get('Token')! });
    expect(await listed()).toEqual([]);
    await publish();
    await sns.settle();
    expect(sns.taken()).toEqual([]);
  });

  test('a raw one gets the text alone', async () => {
    await subscribe({ 'Attributes.entry.1.key': 'RawMessageDelivery', 'Attributes.entry.1.value': 'true' });
    await publish();
    await sns.settle();
    expect(sns.taken()).toMatchObject([{ body: 'a message', headers: { 'x-amz-sns-rawdelivery': 'true' } }]);
  });

  test('the link in the message confirms as the call does; a wrong token confirms nothing', async () => {
    await sns.send('Subscribe', SINK);
    await sns.settle();
    const { Token } = sns.taken()[0]!.body;
    const wrong = `${Token.slice(0, -1)}${Token.endsWith('0') ? '1' : '0'}`;
    const refusal = { code: 'InvalidParameter', message: 'Invalid parameter: Token' };
    for (const token of [wrong, 'x', '']) await expect(confirmByLink(sns.deps, { topic: TOPIC, token })).rejects.toMatchObject(refusal);
    // A topic that is not there, and one of others, are no different.
    await expect(confirmByLink(sns.deps, { topic: `${TOPIC}-2`, token: Token })).rejects.toMatchObject(refusal);
    const arn = await confirmByLink(sns.deps, { topic: TOPIC, token: Token });
    expect(await attributes(arn)).toEqual({
      SubscriptionPrincipal: sns.trail.call().principal.arn,
      Owner: TRAIL_ACCOUNT,
      RawMessageDelivery: 'false',
      TopicArn: TOPIC,
      Endpoint: URL_OF_SINK,
      Protocol: 'https',
      PendingConfirmation: 'false',
      ConfirmationWasAuthenticated: 'false',
      SubscriptionArn: arn,
    });
  });

  test('the token of a message does nothing else, and nothing to the subscription that comes after', async () => {
    await sns.send('Subscribe', SINK);
    await sns.settle();
    const { Token } = sns.taken()[0]!.body;
    const arn = await confirmByLink(sns.deps, { topic: TOPIC, token: Token });
    await expect(unsubscribeByLink(sns.deps, { arn, token: Token })).rejects.toMatchObject({ code: 'NotFound' });
    await sns.send('Unsubscribe', { SubscriptionArn: arn });
    await sns.trail.clock.advance(1);
    await sns.send('Subscribe', SINK);
    await expect(confirmByLink(sns.deps, { topic: TOPIC, token: Token })).rejects.toMatchObject({ code: 'InvalidParameter' });
  });

  test('who asks for it at the confirmation is not unsubscribed by a link', async () => {
    await sns.send('Subscribe', SINK);
    await sns.settle();
    const { Token } = sns.taken()[0]!.body;
    await sns.send('ConfirmSubscription', { TopicArn: TOPIC, Token, AuthenticateOnUnsubscribe: 'true' });
    await publish();
    await sns.settle();
    const link = new URL(sns.taken()[0]!.body.UnsubscribeURL).searchParams;
    const ending = unsubscribeByLink(sns.deps, { arn: link.get('SubscriptionArn')!, token: link.get('Token')! });
    await expect(ending).rejects.toMatchObject({ code: 'AuthorizationError', status: 403 });
  });

  test('one that nobody confirms for three days is gone', async () => {
    await sns.send('Subscribe', SINK);
    await sns.settle();
    const { Token } = sns.taken()[0]!.body;
    await sns.trail.clock.advance(3 * DAY_MS + 1);
    expect(await listed()).toEqual([]);
    await expect(confirmByLink(sns.deps, { topic: TOPIC, token: Token })).rejects.toMatchObject({ code: 'InvalidParameter' });
  });

  test('subscribing again finds it, and asks again where it is not confirmed', async () => {
    await sns.send('Subscribe', SINK);
    await sns.settle();
    await sns.send('Subscribe', SINK);
    await sns.settle();
    expect(sns.taken()).toHaveLength(2);
    const { SubscriptionArn } = await sns.send('Subscribe', { ...SINK, ReturnSubscriptionArn: 'true' });
    expect(SubscriptionArn).toMatch(new RegExp(`^${TOPIC}:[0-9a-f-]{36}$`));
    const raw = { 'Attributes.entry.1.key': 'RawMessageDelivery', 'Attributes.entry.1.value': 'true' };
    await expect(sns.decide('Subscribe', { ...SINK, ...raw })).rejects.toMatchObject({ code: 'InvalidParameter' });
    expect(await listed()).toHaveLength(1);
  });

  test.each<readonly [SnsInput]>([
    [{ Protocol: 'sms', Endpoint: '+49123' }],
    [{ Protocol: 'email', Endpoint: 'https://hooks.example' }],
    [{ Protocol: 'https', Endpoint: 'http://hooks.example' }],
    [{ Protocol: 'https', Endpoint: 'https://user:secret@hooks.example' }],
    [{ Protocol: 'https', Endpoint: `https://hooks.example/${'x'.repeat(2_048)}` }],
    [{ Protocol: 'sqs', Endpoint: `${QUEUE}.fifo` }],
    [{ 'Attributes.entry.1.key': 'FilterPolicy', 'Attributes.entry.1.value': '{}' }],
    [{ 'Attributes.entry.7.key': 'RedrivePolicy', 'Attributes.entry.7.value': '{}' }],
    [{ 'Attributes.entry.1.key': 'RawMessageDelivery', 'Attributes.entry.1.value': 'maybe' }],
  ])('Subscribe refuses %j: what nothing stands behind is not kept', async (input) => {
    await expect(sns.decide('Subscribe', { ...SINK, ...input })).rejects.toMatchObject({ code: 'InvalidParameter', status: 400 });
  });

  test('queues are refused where no SQS is configured, and topics that are not there', async () => {
    const queue = { TopicArn: TOPIC, Protocol: 'sqs', Endpoint: QUEUE };
    await expect(sns.decide('Subscribe', { ...queue, TopicArn: `${TOPIC}-2` })).rejects.toMatchObject({ code: 'NotFound', status: 404 });
    sns.deps = { ...sns.deps, hasQueues: false };
    await expect(sns.decide('Subscribe', queue)).rejects.toMatchObject({ message: expect.stringContaining('`delivery.sqs`') });
  });

  test('a topic has no more than it may', async () => {
    for (let count = 0; count < SUBSCRIPTIONS_MAX; count++) await sns.send('Subscribe', { ...SINK, Endpoint: `${URL_OF_SINK}/${count}` });
    expect((await listed()).length).toBe(SUBSCRIPTIONS_MAX);
    await expect(sns.decide('Subscribe', SINK)).rejects.toMatchObject({ code: 'SubscriptionLimitExceeded', status: 403 });
    const { NextToken } = await sns.send('ListSubscriptions');
    expect((await sns.send('ListSubscriptions', { NextToken })).Subscriptions.member).toEqual([]);
  });

  test('a topic counts them, and takes them with it when it is deleted', async () => {
    await subscribe();
    await sns.send('Subscribe', { ...SINK, Endpoint: `${URL_OF_SINK}/2` });
    const { Attributes } = await sns.send('GetTopicAttributes', { TopicArn: TOPIC });
    expect(Attributes.entry).toContainEqual({ key: 'SubscriptionsConfirmed', value: '1' });
    expect(Attributes.entry).toContainEqual({ key: 'SubscriptionsPending', value: '1' });
    sink.status = 500;
    await publish();
    await sns.send('DeleteTopic', { TopicArn: TOPIC });
    for (const kind of ['sns-subscription', 'sns-subscriber', 'sns-message'])
      expect(await sns.trail.catalog.list([kind]), kind).toEqual([]);
  });

  test('A12 what a caller must be allowed goes by the topic, its policy, the protocol and the endpoint', async () => {
    const [request] = await sns.access('Subscribe', SINK, sns.trail.call(STRANGER));
    const found = { owner: TRAIL_ACCOUNT, policy: expect.any(String) };
    expect(request).toMatchObject({ action: 'sns:Subscribe', resource: TOPIC, found });
    expect(Object.fromEntries(request!.context!)).toEqual({ 'sns:protocol': ['https'], 'sns:endpoint': [URL_OF_SINK] });
    const [publishing] = await sns.access('Publish', { TargetArn: TOPIC }, sns.trail.call(STRANGER));
    expect(publishing).toMatchObject({ action: 'sns:Publish', resource: TOPIC, found });
  });

  test("A12 another account's subscription is answered as one that is not there; the topic's owner sees it and ends it, no more", async () => {
    const stranger = sns.trail.call(STRANGER);
    await sns.send('Subscribe', SINK, stranger);
    await sns.settle();
    const arn = await confirmByLink(sns.deps, { topic: TOPIC, token: sns.taken()[0]!.body.Token });
    const raw = { SubscriptionArn: arn, AttributeName: 'RawMessageDelivery', AttributeValue: 'true' };
    const notFound = { code: 'NotFound', message: 'Subscription does not exist', status: 404 };
    await expect(sns.decide('SetSubscriptionAttributes', raw)).rejects.toMatchObject(notFound);
    const third = { ...stranger, account: '555555555555' as typeof TRAIL_ACCOUNT };
    for (const name of ['GetSubscriptionAttributes', 'SetSubscriptionAttributes', 'Unsubscribe'])
      await expect(sns.decide(name, raw, third), name).rejects.toMatchObject(notFound);
    expect((await sns.send('ListSubscriptions')).Subscriptions.member).toEqual([]);
    expect((await sns.send('ListSubscriptions', {}, stranger)).Subscriptions.member).toMatchObject([{ SubscriptionArn: arn }]);
    await sns.send('SetSubscriptionAttributes', raw, stranger);
    expect(await attributes(arn)).toMatchObject({ Owner: STRANGER, RawMessageDelivery: 'true' });
    await sns.send('Unsubscribe', { SubscriptionArn: arn });
    await expect(sns.decide('Unsubscribe', { SubscriptionArn: arn })).rejects.toMatchObject(notFound);
  });
});

describe('messages to subscribers', () => {
  test('a queue gets them where its own policy lets the topic send', async () => {
    const policy = (topic: string) =>
      JSON.stringify({
        Statement: [
          {
            Effect: 'Allow',
            Principal: { Service: 'sns.amazonaws.com' },
            Action: 'sqs:SendMessage',
            Resource: QUEUE,
            Condition: { ArnEquals: { 'aws:SourceArn': topic } },
          },
        ],
      });
    const queue = { texts: [] as string[], policy: policy(`${TOPIC}-2`) };
    sns.queues.set(QUEUE, queue);
    const { SubscriptionArn } = await sns.send('Subscribe', { TopicArn: TOPIC, Protocol: 'sqs', Endpoint: QUEUE });
    await publish();
    await sns.settle();
    expect(queue.texts).toEqual([]);
    expect(await attributes(SubscriptionArn)).toMatchObject({ LatestDeliveryError: 'AccessDenied', MessagesWaiting: '1' });
    queue.policy = policy(TOPIC);
    await sns.pass(60_000);
    expect(queue.texts.map((text) => JSON.parse(text))).toMatchObject([{ Type: 'Notification', Message: 'a message' }]);
    expect(await attributes(SubscriptionArn)).not.toHaveProperty('LatestDeliveryError');
  });

  test('what was sent leaves nothing hanging on the signal that ends the server', async () => {
    await subscribe();
    const before = getEventListeners(sns.signal, 'abort').length;
    for (let count = 0; count < 20; count++) await publish();
    await sns.settle();
    expect(sns.taken()).toHaveLength(20);
    expect(getEventListeners(sns.signal, 'abort').length).toBeLessThanOrEqual(before);
  });

  test('F25 what was not taken waits over a restart, and delays no other', async () => {
    sns.answer('https://other.example');
    const arn = await subscribe();
    const other = await sns.send('Subscribe', { ...SINK, Endpoint: 'https://other.example/', ReturnSubscriptionArn: 'true' });
    await sns.settle();
    await sns.send('ConfirmSubscription', { TopicArn: TOPIC, Token: sns.taken()[0]!.body.Token });
    sink.status = 503;
    await builtInTopics(sns.deps).publish(TOPIC, 'of a trail');
    await sns.settle();
    expect(sns.taken().map(({ headers }) => headers['x-amz-sns-subscription-arn'])).toContain(other.SubscriptionArn);
    expect(await attributes(arn)).toMatchObject({ LatestDeliveryError: 'Status503', MessagesWaiting: '1' });
    sink.status = 200;
    await sns.open();
    await sns.pass(60_000);
    expect(sns.taken()).toMatchObject([{ headers: { 'x-amz-sns-subscription-arn': arn }, body: { Message: 'of a trail' } }]);
    await sns.open();
    await sns.pass(60_000);
    expect(sns.taken()).toEqual([]);
  });

  test('what nobody takes for a day is given up, and counted', async () => {
    const arn = await subscribe();
    sink.status = 500;
    await publish();
    await sns.pass(60_000);
    await sns.pass(DAY_MS + 600_000);
    expect(await attributes(arn)).toMatchObject({ MessagesGivenUp: '1' });
    expect(await sns.deps.deliveries.messageLines()).toEqual([
      expect.objectContaining({ name: `subscribers/${TRAIL_ACCOUNT}`, waiting: 0, givenUp: 1, failed: expect.any(Number) }),
    ]);
    expect(await sns.trail.catalog.list(['sns-message'])).toEqual([]);
  });

  test('who subscribes again is asked to confirm, though messages of the subscription that ended were waiting', async () => {
    const arn = await subscribe();
    sink.status = 500;
    await publish();
    await sns.settle();
    await sns.send('Unsubscribe', { SubscriptionArn: arn });
    sink.status = 200;
    sns.taken();
    await sns.trail.clock.advance(1);
    await sns.send('Subscribe', SINK);
    await sns.pass(300_000);
    expect(sns.taken().map(({ body }) => body.Type)).toEqual(['SubscriptionConfirmation']);
  });

  test('what fails for a subscription that ended meanwhile is remembered of nobody', async () => {
    const arn = await subscribe();
    let refuse = () => {};
    sns.handlers.set(
      'https://hooks.example',
      () => new Promise((_, reject) => (refuse = () => reject(new OutboundFailed('timeout', 'away')))),
    );
    await publish();
    await sns.settle();
    await sns.send('Unsubscribe', { SubscriptionArn: arn });
    refuse();
    await sns.pass(300_000);
    expect(await sns.trail.catalog.list(['sns-subscription-status'])).toEqual([]);
  });

  test('A80 an address that is not public is not reached, and why there was no answer is not told', async () => {
    sns.names.set('inside.example', ['10.0.0.5']);
    sns.answer('https://inside.example');
    const inside = { ...SINK, Endpoint: 'https://inside.example/', ReturnSubscriptionArn: 'true' };
    const away = { ...SINK, Endpoint: 'https://away.example/', ReturnSubscriptionArn: 'true' };
    const [one, two] = [await sns.send('Subscribe', inside), await sns.send('Subscribe', away)];
    await sns.settle();
    expect(sns.taken()).toEqual([]);
    expect(await attributes(one.SubscriptionArn)).toMatchObject({ LatestDeliveryError: 'AddressRefused' });
    expect(await attributes(two.SubscriptionArn)).toMatchObject({ LatestDeliveryError: 'NoAnswer' });
  });

  test('a message may have a text for each protocol', async () => {
    await subscribe();
    const structured = (Message: string) => publish({ Message, MessageStructure: 'json' });
    await structured(JSON.stringify({ default: 'for all', https: 'for https' }));
    await structured(JSON.stringify({ default: 'for all', sqs: 'for sqs' }));
    await sns.settle();
    expect(sns.taken().map(({ body }) => body.Message)).toEqual(['for https', 'for all']);
    for (const wrong of ['{', '[]', '{"https":"x"}']) await expect(structured(wrong)).rejects.toMatchObject({ code: 'InvalidParameter' });
  });

  test.each<readonly [SnsInput]>([
    [{ Message: '' }],
    [{ Message: 'x'.repeat(256 * 1024 + 1) }],
    [{ Subject: 'x'.repeat(101) }],
    [{ 'MessageAttributes.entry.1.Name': 'x' }],
    [{ MessageGroupId: 'x' }],
    [{ PhoneNumber: '+49123' }],
  ])('Publish refuses %j', async (input) => {
    await expect(publish(input)).rejects.toMatchObject({ code: 'InvalidParameter', status: 400 });
  });

  test('what is published is in no record of the call', async () => {
    const { requestParameters } = await sns.decide('Publish', { TopicArn: TOPIC, Message: 'a secret' });
    expect(requestParameters).toEqual({ topicArn: TOPIC, message: 'HIDDEN_DUE_TO_SECURITY_REASONS' });
  });
});
