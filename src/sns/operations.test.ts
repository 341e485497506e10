import { beforeEach, describe, expect, test } from 'vitest';
import { SnsRig } from '../../test/support/sns-rig.ts';
import { HOME, STRANGER, TRAIL_ACCOUNT, type TrailRig } from '../../test/support/trail-rig.ts';
import { builtInTopics } from './built-in-topics.ts';
import type { SnsInput } from './sns-deps.ts';
import { TOPICS_MAX } from './topic.ts';

const ARN = `arn:aws:sns:${HOME}:${TRAIL_ACCOUNT}:deliveries`;

let sns: SnsRig;
let rig: TrailRig;

beforeEach(async () => {
  sns = new SnsRig();
  rig = sns.trail;
  await sns.open({ isSending: false });
});

const decide: SnsRig['decide'] = (...of) => sns.decide(...of);
const send: SnsRig['send'] = (...of) => sns.send(...of);

const attributes = async (): Promise<Record<string, string>> => {
  const { Attributes } = await send('GetTopicAttributes', { TopicArn: ARN });
  return Object.fromEntries((Attributes.entry as { key: string; value: string }[]).map(({ key, value }) => [key, value]));
};

const tagged = (tags: Record<string, string>): SnsInput =>
  Object.fromEntries(
    Object.entries(tags).flatMap(([key, value], at) => [
      [`Tags.member.${at + 1}.Key`, key],
      [`Tags.member.${at + 1}.Value`, value],
    ]),
  );
const tags = async (): Promise<Record<string, string>> => {
  const { Tags } = await send('ListTagsForResource', { ResourceArn: ARN });
  return Object.fromEntries((Tags.member as { Key: string; Value: string }[]).map(({ Key, Value }) => [Key, Value]));
};

describe('topics', () => {
  test('a topic is made with the policy that the service gives, and is there for its account in its Region alone', async () => {
    expect(await send('CreateTopic', { Name: 'deliveries' })).toEqual({ TopicArn: ARN });
    expect(await send('ListTopics')).toEqual({ Topics: { member: [{ TopicArn: ARN }] } });
    expect(await send('ListTopics', {}, rig.call(STRANGER))).toEqual({ Topics: { member: [] } });
    const { Policy, Owner, TopicArn } = await attributes();
    expect({ Owner, TopicArn }).toEqual({ Owner: TRAIL_ACCOUNT, TopicArn: ARN });
    expect(JSON.parse(Policy!)).toMatchObject({ Statement: [{ Condition: { StringEquals: { 'AWS:SourceOwner': TRAIL_ACCOUNT } } }] });
  });

  test('making it again is fine, and with other attributes refused', async () => {
    await send('CreateTopic', { Name: 'deliveries' });
    expect(await send('CreateTopic', { Name: 'deliveries' })).toEqual({ TopicArn: ARN });
    const other = { Name: 'deliveries', 'Attributes.entry.1.key': 'DisplayName', 'Attributes.entry.1.value': 'other' };
    await expect(decide('CreateTopic', other)).rejects.toMatchObject({ code: 'InvalidParameter' });
  });

  test.each<readonly [SnsInput]>([
    [{ Name: 'a topic' }],
    [{ Name: 'deliveries.fifo' }],
    [{ Name: 'deliveries', 'Attributes.entry.1.key': 'KmsMasterKeyId', 'Attributes.entry.1.value': 'alias/x' }],
    [{ Name: 'deliveries', 'Attributes.entry.1.key': 'Policy', 'Attributes.entry.1.value': '{"Statement":' }],
    [{ Name: 'deliveries', 'Tags.member.1.Key': 'aws:team', 'Tags.member.1.Value': 'x' }],
    [{ Name: 'deliveries', 'Tags.member.1.Key': '', 'Tags.member.1.Value': 'x' }],
    [{ Name: 'deliveries', 'Tags.member.1.Key': 'team', 'Tags.member.1.Value': 'x'.repeat(257) }],
    [{ Name: 'deliveries', 'Tags.member.1.Key': 'team', 'Tags.member.2.Key': 'team' }],
    [{}],
  ])('CreateTopic refuses %j: what nothing stands behind is not kept', async (input) => {
    await expect(decide('CreateTopic', input)).rejects.toMatchObject({ code: 'InvalidParameter', status: 400 });
  });

  test('a policy that its owner sets is what trails are held against; an empty one is the first one again', async () => {
    await send('CreateTopic', { Name: 'deliveries' });
    const first = (await attributes())['Policy'];
    const policy = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Deny', Principal: '*', Action: '*', Resource: '*' }] });
    await send('SetTopicAttributes', { TopicArn: ARN, AttributeName: 'Policy', AttributeValue: policy });
    expect(await builtInTopics(sns.deps).look(ARN)).toEqual({ kind: 'there', policy });
    await send('SetTopicAttributes', { TopicArn: ARN, AttributeName: 'Policy', AttributeValue: '' });
    expect((await attributes())['Policy']).toBe(first);
  });

  test('what no topic here does can be switched off, and not on', async () => {
    await send('CreateTopic', { Name: 'deliveries' });
    const set = (AttributeName: string, AttributeValue: string) =>
      decide('SetTopicAttributes', { TopicArn: ARN, AttributeName, AttributeValue });
    await set('LambdaSuccessFeedbackSampleRate', '0');
    await set('HTTPFailureFeedbackRoleArn', '');
    await set('FifoTopic', 'false');
    await send('SetTopicAttributes', { TopicArn: ARN, AttributeName: 'TracingConfig', AttributeValue: 'PassThrough' });
    expect(await attributes()).toMatchObject({ TracingConfig: 'PassThrough' });
    await expect(set('TracingConfig', 'Active')).rejects.toMatchObject({ message: expect.stringContaining('TracingConfig') });
    await expect(set('LambdaSuccessFeedbackSampleRate', '5')).rejects.toMatchObject({ code: 'InvalidParameter' });
    await expect(set('HTTPFailureFeedbackRoleArn', 'arn:aws:iam::123837392027:role/x')).rejects.toMatchObject({ code: 'InvalidParameter' });
    await expect(set('FifoTopic', 'true')).rejects.toMatchObject({ code: 'InvalidParameter' });
  });

  test('tags are given with the topic or later, the last one counts, and they are taken away by their keys', async () => {
    await send('CreateTopic', { Name: 'deliveries', ...tagged({ team: 'audit', env: 'test' }) });
    await send('TagResource', { ResourceArn: ARN, ...tagged({ env: 'prod', cost: '' }) });
    expect(await tags()).toEqual({ team: 'audit', env: 'prod', cost: '' });
    await send('UntagResource', { ResourceArn: ARN, 'TagKeys.member.1': 'team', 'TagKeys.member.2': 'never' });
    expect(await tags()).toEqual({ env: 'prod', cost: '' });
    expect((await decide('TagResource', { ResourceArn: ARN, ...tagged({ a: 'b' }) })).requestParameters).toEqual({
      resourceArn: ARN,
      tags: [{ key: 'a', value: 'b' }],
    });
  });

  test('making a topic again with the same tags is fine, and with other ones refused', async () => {
    await send('CreateTopic', { Name: 'deliveries', ...tagged({ team: 'audit', env: 'test' }) });
    expect(await send('CreateTopic', { Name: 'deliveries', ...tagged({ env: 'test', team: 'audit' }) })).toEqual({ TopicArn: ARN });
    expect(await send('CreateTopic', { Name: 'deliveries' })).toEqual({ TopicArn: ARN });
    const other = decide('CreateTopic', { Name: 'deliveries', ...tagged({ env: 'prod' }) });
    await expect(other).rejects.toMatchObject({ code: 'InvalidParameter', message: expect.stringContaining('different tags') });
  });

  test('a topic has at most 50 tags, and what is no topic has none', async () => {
    await send('CreateTopic', { Name: 'deliveries' });
    const many = (from: number, count: number) =>
      tagged(Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${from + at}`, 'v'])));
    await send('TagResource', { ResourceArn: ARN, ...many(0, 50) });
    for (const more of [many(50, 1), many(0, 51)])
      await expect(decide('TagResource', { ResourceArn: ARN, ...more })).rejects.toMatchObject({ code: 'TagLimitExceeded', status: 400 });
    await send('TagResource', { ResourceArn: ARN, ...many(49, 1) });
    const missing = { ResourceArn: `${ARN}-2`, ...many(0, 1), 'TagKeys.member.1': 'k0' };
    for (const name of ['TagResource', 'UntagResource', 'ListTagsForResource']) {
      await expect(decide(name, missing), name).rejects.toMatchObject({ code: 'ResourceNotFound', status: 404 });
      await expect(decide(name, { ...missing, ResourceArn: 'x' }), name).rejects.toMatchObject({ code: 'InvalidParameter' });
    }
    for (const name of ['TagResource', 'UntagResource'])
      await expect(decide(name, { ResourceArn: ARN }), name).rejects.toMatchObject({ code: 'InvalidParameter' });
  });

  test('policies can go by the tags of a topic, and by those that a call gives', async () => {
    await send('CreateTopic', { Name: 'deliveries', ...tagged({ Team: 'audit' }) });
    const [request] = await sns.access('TagResource', { ResourceArn: ARN, ...tagged({ Env: 'test' }) }, rig.call());
    expect(request).toMatchObject({ action: 'sns:TagResource', resource: ARN, found: { owner: TRAIL_ACCOUNT } });
    expect(Object.fromEntries([...request!.context!, ...request!.found!.context!])).toEqual({
      'aws:requesttag/env': ['test'],
      'aws:tagkeys': ['Env'],
      'aws:resourcetag/team': ['audit'],
    });
    const making = await sns.operation('CreateTopic').access!(rig.call(), { Name: 'deliveries', ...tagged({ Env: 'test' }) });
    expect(making.map(({ action }) => action)).toEqual(['sns:CreateTopic', 'sns:TagResource']);
  });

  test('a deleted topic is gone, and deleting it again is fine', async () => {
    await send('CreateTopic', { Name: 'deliveries' });
    await send('DeleteTopic', { TopicArn: ARN });
    await send('DeleteTopic', { TopicArn: ARN });
    expect(await builtInTopics(sns.deps).look(ARN)).toEqual({ kind: 'missing' });
    await expect(decide('GetTopicAttributes', { TopicArn: ARN })).rejects.toMatchObject({ code: 'NotFound', status: 404 });
    await expect(builtInTopics(sns.deps).publish(ARN, 'm')).rejects.toMatchObject({ reason: 'NotFound' });
  });

  test('A12 what a caller must be allowed on a topic goes by its owner and its own policy; one that is not there has none', async () => {
    await send('CreateTopic', { Name: 'deliveries' });
    const access = async (arn: string) => sns.access('GetTopicAttributes', { TopicArn: arn }, rig.call(STRANGER));
    const action = 'sns:GetTopicAttributes';
    const policy = (await attributes())['Policy'];
    expect(await access(ARN)).toEqual([{ action, resource: ARN, found: { owner: TRAIL_ACCOUNT, policy, context: new Map() } }]);
    expect(await access(`${ARN}-2`)).toEqual([{ action, resource: `${ARN}-2`, found: { owner: TRAIL_ACCOUNT } }]);
  });

  test('are listed 100 a page, and an account has no more than it may', async () => {
    for (let count = 0; count < 101; count++) await send('CreateTopic', { Name: `topic-${String(count).padStart(4, '0')}` });
    const { Topics, NextToken } = await send('ListTopics');
    expect(Topics.member).toHaveLength(100);
    expect((await send('ListTopics', { NextToken })).Topics.member).toHaveLength(1);
    await expect(decide('ListTopics', { NextToken: 'a/b' })).rejects.toMatchObject({ code: 'InvalidParameter' });
    const more = Array.from({ length: TOPICS_MAX - 101 }, (_, at) => `more-${at}`);
    await rig.catalog.commit(more.map((name) => ({ key: ['sns-topic', TRAIL_ACCOUNT, HOME, name], value: { name }, expected: 0 })));
    await expect(decide('CreateTopic', { Name: 'one-more' })).rejects.toMatchObject({ code: 'TopicLimitExceeded', status: 403 });
  });

  test('each change leaves a fact with the hashes before and after', async () => {
    await send('CreateTopic', { Name: 'deliveries' });
    await send('SetTopicAttributes', { TopicArn: ARN, AttributeName: 'DisplayName', AttributeValue: 'told' });
    await send('DeleteTopic', { TopicArn: ARN });
    const facts = (await rig.journal.read(0n, 10)).map(
      ({ bytes }) => JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>,
    );
    expect(facts.map(({ event, resource }) => [event, resource])).toEqual([
      ['CreateTopic', ARN],
      ['SetTopicAttributes', ARN],
      ['DeleteTopic', ARN],
    ]);
    expect(facts[0]!['beforeSha256']).toBeNull();
    expect(facts[1]!['beforeSha256']).toBe(facts[0]!['afterSha256']);
    expect(facts[2]!['afterSha256']).toBeNull();
  });
});
