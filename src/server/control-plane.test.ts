/**
 * All operations of CloudTrail and CloudTrail Data, through the whole server.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WholeServer } from '../../test/support/whole-server.ts';
import { CONTROL_PLANE, isReadOnly } from '../api/control-plane.ts';
import { operationModel, operationNames, shapeOf } from '../api/model.ts';
import type { Operation } from '../api/operation.ts';

let whole: WholeServer;
beforeAll(async () => {
  whole = await WholeServer.open();
});
afterAll(() => whole.close());

const STORE = 'b8a6f1f4-52d6-4c64-9c6a-0d7c6a1f5e2b';
/** An input of each operation that is well formed, as far as it needs one. */
const WELL_FORMED: Readonly<Record<string, object>> = {
  AddTags: { ResourceId: 'arn:aws:cloudtrail:eu-central-1:111111111111:trail/none', TagsList: [{ Key: 'a' }] },
  CancelQuery: { EventDataStore: STORE, QueryId: STORE },
  CreateChannel: { Name: 'channel', Source: 'Custom', Destinations: [{ Type: 'EVENT_DATA_STORE', Location: STORE }] },
  CreateDashboard: { Name: 'board' },
  CreateEventDataStore: { Name: 'store' },
  CreateTrail: { Name: 'main', S3BucketName: 'no-such-bucket' },
  DeregisterOrganizationDelegatedAdmin: { DelegatedAdminAccountId: '222222222222' },
  EnableFederation: { EventDataStore: STORE, FederationRoleArn: 'arn:aws:iam::111111111111:role/x' },
  GenerateQuery: { EventDataStores: [STORE], Prompt: 'who did it' },
  GetQueryResults: { QueryId: STORE },
  ListInsightsData: { InsightSource: 'arn:aws:cloudtrail:eu-central-1:111111111111:trail/none', DataType: 'InsightsEvents' },
  ListInsightsMetricData: { EventSource: 'ec2.amazonaws.com', EventName: 'RunInstances', InsightType: 'ApiCallRateInsight' },
  ListTags: { ResourceIdList: ['arn:aws:cloudtrail:eu-central-1:111111111111:trail/none'] },
  PutAuditEvents: {
    channelArn: `arn:aws:cloudtrail:eu-central-1:111111111111:channel/${STORE}`,
    auditEvents: [{ id: '1', eventData: '{}' }],
  },
  PutInsightSelectors: { TrailName: 'main', InsightSelectors: [] },
  PutResourcePolicy: { ResourceArn: `arn:aws:cloudtrail:eu-central-1:111111111111:channel/${STORE}`, ResourcePolicy: '{}' },
  RegisterOrganizationDelegatedAdmin: { MemberAccountId: '222222222222' },
  RemoveTags: { ResourceId: 'arn:aws:cloudtrail:eu-central-1:111111111111:trail/none', TagsList: [{ Key: 'a' }] },
  SearchSampleQueries: { SearchPhrase: 'who did it' },
};

/** The required members that operations share. */
const SHARED: Readonly<Record<string, unknown>> = {
  Channel: STORE,
  DashboardId: 'board',
  EventDataStore: STORE,
  ImportId: STORE,
  Name: 'main',
  ResourceArn: `arn:aws:cloudtrail:eu-central-1:111111111111:channel/${STORE}`,
  TrailName: 'main',
};

const call = (name: string, input: object) =>
  operationModel(name)!.service === 'cloudtrail' ? whole.cloudtrail(name, input) : whole.putAuditEvents({ ...input });

/** Names of the README's list that begins with this word. */
function listed(word: string): readonly string[] {
  const line = readFileSync('README.md', 'utf8')
    .split('\n\n')
    .find((paragraph) => paragraph.startsWith(`_${word}_:`));
  return [...(line ?? '').matchAll(/`([A-Za-z]+)`/g)].map(([, name]) => name!).sort();
}

describe('the table of operations', () => {
  test('has a row for each operation of the model, and no other', () => {
    expect([...CONTROL_PLANE.keys()].sort()).toEqual([...operationNames()].sort());
  });

  test('agrees with each operation of the server on what changes something', () => {
    const differing = operationNames().filter((name) => operationOf(name).isReadOnly !== isReadOnly(CONTROL_PLANE.get(name)!));
    expect(differing).toEqual([]);
  });

  test.each(operationNames())('%s: a member of the wrong type is refused as such', async (name) => {
    const wrong = name === 'PutAuditEvents' ? { ...WELL_FORMED[name], auditEvents: 7 } : wrongTypes(name);
    expect((await call(name, wrong)).code).toBe('SerializationException');
  });

  test('what works and what is not built is in the README, and answers so', async () => {
    const unsupported: string[] = [];
    for (const name of operationNames()) {
      const answer = await call(name, WELL_FORMED[name] ?? SHARED);
      if (answer.code === 'UnsupportedOperationException' && answer.message.includes('not supported by this installation yet'))
        unsupported.push(name);
      else expect(`${name} ${answer.code} ${answer.message}`).not.toMatch(/Serialization|Validation|Internal/);
    }
    expect(listed('Not yet')).toEqual([...unsupported].sort());
    expect(listed('Works')).toEqual(
      operationNames()
        .filter((name) => !unsupported.includes(name))
        .sort(),
    );
  });

  test('both spellings of the target name the same operation', async () => {
    const spellings = ['CloudTrail_20131101', 'com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101'];
    const answers = await Promise.all(spellings.map((target) => whole.cloudtrail('ListTrails', {}, { target })));
    expect(answers.map(({ output }) => output)).toEqual([{ Trails: [] }, { Trails: [] }]);
  });

  test('members that the model does not have are ignored', async () => {
    expect((await whole.cloudtrail('ListTrails', { FutureMember: { a: [1] } })).code).toBe('OK');
  });

  test('a name that is of no operation is unknown, also one that every object has', async () => {
    for (const name of ['NoSuchOperation', 'constructor', '__proto__'])
      expect((await whole.cloudtrail(name)).code).toBe('UnknownOperationException');
  });
});

function operationOf(name: string): Operation {
  return whole.server.ports.services.get(operationModel(name)!.service)!.operations.get(name)! as Operation;
}

/** Each member holds what no member takes. */
function wrongTypes(name: string): object {
  // An operation without members takes any object, and refuses what is none.
  return Object.fromEntries(membersOf(name).map((member) => [member, [[7]]]));
}

function membersOf(name: string): readonly string[] {
  const shape = shapeOf(operationModel(name)!.input!);
  return shape.type === 'structure' ? Object.keys(shape.members) : [];
}
