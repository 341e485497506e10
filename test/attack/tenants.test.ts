/**
 * Attacks across tenants by CloudTrail's operations: rows A12 and A13 of the attack matrix, against the built server.
 *
 * For every operation of the service's model a stranger names what belongs to another account, and then something of that account
 * that does not exist. Both answers must be the same, byte for byte but for the name: whoever asks learns nothing.
 */
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { operationModel, operationNames, shapeOf } from '../../src/api/model.ts';
import { Client } from '../../src/cli/client.ts';
import { findServer } from '../../src/cli/find-server.ts';
import type { Json } from '../../src/event/types.ts';
import { runCli } from '../support/run-cli.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';
import { putTrailBucket } from '../support/trail-bucket.ts';

const VICTIM = '222222222222';
const STRANGER = '333333333333';
const REGION = 'us-east-1';
const BUCKET = 'victims-bucket';
const ARN = `arn:aws:cloudtrail:${REGION}:${VICTIM}:trail/`;
/** As long as each other, so that an error about a length is the same. */
const THEIRS = `${ARN}there-it-is`;
const NOTHING = `${ARN}nothing-yet`;

let server: StartedServer;
let victim: Client;
let stranger: Client;

beforeAll(async () => {
  server = await startServer({ flags: ['--account-id', '111111111111', '--flush-interval', '200ms'] });
  for (const account of [VICTIM, STRANGER])
    expect((await runCli(['accounts', 'create', account, '--data-dir', server.dataDir])).exitCode).toBe(0);
  victim = new Client({ ...(await findServer({ dataDir: server.dataDir, account: VICTIM })), region: REGION });
  stranger = new Client({ ...(await findServer({ dataDir: server.dataDir, account: STRANGER })), region: REGION });
  await putTrailBucket(victim, BUCKET, VICTIM);
  await victim.cloudtrail('CreateTrail', { Name: 'there-it-is', S3BucketName: BUCKET, IsMultiRegionTrail: true });
  await victim.cloudtrail('StartLogging', { Name: 'there-it-is' });
});

afterAll(async () => {
  await server.stop();
  await rm(server.dataDir, { recursive: true, force: true });
});

/** A value of a shape that the model allows, with every text being `name` where its pattern lets it. */
function sample(shapeName: string, name: string, depth = 0): Json {
  const shape = shapeOf(shapeName);
  switch (shape.type) {
    case 'structure': {
      const members = Object.entries(shape.members).filter(([member]) => depth === 0 || (shape.required ?? []).includes(member));
      return Object.fromEntries(
        members.filter(([member]) => member !== 'NextToken').map(([member, of]) => [member, sample(of, name, depth + 1)]),
      );
    }
    case 'list':
      return depth > 4 ? [] : [sample(shape.member, name, depth + 1)];
    case 'map':
      return {};
    case 'string':
      if (shape.enum !== undefined) return shape.enum[0]!;
      return new RegExp(`^(?:${(shape.pattern ?? '').replace('(?s)', '')})$`, 's').test(name) || shape.pattern === undefined
        ? name
        : 'sample-text';
    case 'boolean':
      return true;
    case 'timestamp':
      return 1_700_000_000;
    case 'blob':
      return 'AA==';
    default:
      return shape.min ?? 1;
  }
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

async function call(client: Client, operation: string, input: object): Promise<Answer> {
  const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `CloudTrail_20131101.${operation}` };
  const { status, body } = await client.send('cloudtrail', 'POST', '/', { headers, body: new TextEncoder().encode(JSON.stringify(input)) });
  return { status, text: new TextDecoder().decode(body) };
}

/** What the stranger is told, with the name that was asked for taken out. */
async function told(operation: string, input: (name: string) => object): Promise<readonly Answer[]> {
  const answers = [];
  for (const name of [THEIRS, NOTHING]) {
    const { status, text } = await call(stranger, operation, input(name));
    answers.push({ status, text: text.replaceAll(name, 'NAME').replaceAll(name.slice(ARN.length), 'NAME') });
  }
  return answers;
}

describe('A12: what belongs to another account looks as if it were not there', () => {
  const operations = operationNames().filter((name) => operationModel(name)!.service === 'cloudtrail');

  test('to every operation of the model, with all members given', async () => {
    const unlike: string[] = [];
    for (const operation of operations) {
      const { input } = operationModel(operation)!;
      const [theirs, nothing] = await told(operation, (name) => (input === undefined ? {} : (sample(input, name) as object)));
      if (JSON.stringify(theirs) !== JSON.stringify(nothing)) unlike.push(`${operation}: ${JSON.stringify([theirs, nothing])}`);
    }
    expect(operations.length).toBe(60);
    expect(unlike).toEqual([]);
  });

  test('to every operation on a trail, with the input that reaches it', async () => {
    const inputs: Readonly<Record<string, (name: string) => object>> = {
      GetTrail: (Name) => ({ Name }),
      GetTrailStatus: (Name) => ({ Name }),
      DescribeTrails: (name) => ({ trailNameList: [name] }),
      StartLogging: (Name) => ({ Name }),
      StopLogging: (Name) => ({ Name }),
      UpdateTrail: (Name) => ({ Name, IsMultiRegionTrail: false }),
      DeleteTrail: (Name) => ({ Name }),
      GetEventSelectors: (TrailName) => ({ TrailName }),
      PutEventSelectors: (TrailName) => ({ TrailName, EventSelectors: [{ ReadWriteType: 'ReadOnly' }] }),
      GetEventConfiguration: (TrailName) => ({ TrailName }),
      PutEventConfiguration: (TrailName) => ({ TrailName, AggregationConfigurations: [] }),
      GetInsightSelectors: (TrailName) => ({ TrailName }),
      AddTags: (ResourceId) => ({ ResourceId, TagsList: [{ Key: 'Team', Value: 'Snow' }] }),
      RemoveTags: (ResourceId) => ({ ResourceId, TagsList: [{ Key: 'Team' }] }),
      ListTags: (name) => ({ ResourceIdList: [name] }),
      GetResourcePolicy: (ResourceArn) => ({ ResourceArn }),
      DeleteResourcePolicy: (ResourceArn) => ({ ResourceArn }),
    };
    for (const [operation, input] of Object.entries(inputs)) {
      const [theirs, nothing] = await told(operation, input);
      expect([operation, theirs]).toEqual([operation, nothing]);
      expect([operation, theirs!.text]).toEqual([operation, expect.not.stringContaining(BUCKET)]);
      // Its own operations show that the input reaches the trail.
      if (operation !== 'DescribeTrails') expect([operation, theirs!.status]).not.toEqual([operation, 200]);
    }
    expect(JSON.parse((await call(stranger, 'DescribeTrails', { trailNameList: [THEIRS] })).text)).toEqual({ trailList: [] });
    expect((await victim.cloudtrail<{ IsLogging: boolean }>('GetTrailStatus', { Name: THEIRS })).IsLogging).toBe(true);
  });
});

describe('A13: a page token', () => {
  const lookup = (client: Client, input: object) => call(client, 'LookupEvents', input);

  test('of another tenant, of another filter, or altered, is refused in one way', async () => {
    for (let count = 0; count < 3; count++) await victim.cloudtrail('DescribeTrails');
    let token: string | undefined;
    await expect
      .poll(async () => {
        token = (JSON.parse((await lookup(victim, { MaxResults: 1 })).text) as { NextToken?: string }).NextToken;
        return token;
      })
      .toBeDefined();
    const middle = Math.floor(token!.length / 2);
    const altered = `${token!.slice(0, middle)}${token![middle] === 'A' ? 'B' : 'A'}${token!.slice(middle + 1)}`;
    const refusals = [
      await lookup(stranger, { MaxResults: 1, NextToken: token }),
      await lookup(victim, { MaxResults: 1, NextToken: token, EventCategory: 'insight' }),
      await lookup(victim, { MaxResults: 1, NextToken: token, LookupAttributes: [{ AttributeKey: 'EventName', AttributeValue: 'x' }] }),
      await lookup(victim, { MaxResults: 1, NextToken: altered }),
      await lookup(victim, { MaxResults: 1, NextToken: 'AAAA' }),
    ];
    expect(new Set(refusals.map(({ text }) => text))).toEqual(new Set([refusals[0]!.text]));
    expect(refusals[0]).toMatchObject({ status: 400, text: expect.stringContaining('InvalidNextTokenException') });
    expect((await lookup(victim, { MaxResults: 1, NextToken: token })).status).toBe(200);
  });
});
