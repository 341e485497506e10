import { describe, expect, test } from 'vitest';
import { BUCKET, HOME, STRANGER, TRAIL_ACCOUNT, TrailRig } from '../../test/support/trail-rig.ts';
import type { Region } from '../event/types.ts';
import type { Trails } from './create-trails.ts';

const STORE = 'b8a6f1f4-52d6-4c64-9c6a-0d7c6a1f5e2b';
const DATA = [
  {
    FieldSelectors: [
      { Field: 'eventCategory', Equals: ['Data'] },
      { Field: 'resources.type', Equals: ['AWS::S3::Object'] },
    ],
  },
];
const by = (...Templates: readonly string[]) => [{ EventCategory: 'Data', Templates }];
const ARN = `arn:aws:cloudtrail:${HOME}:${TRAIL_ACCOUNT}:trail/main`;

/** A trail that takes the data events of S3, and manages to say what an operation answers: its output, or the code of its refusal. */
async function withTrail(): Promise<{ rig: TrailRig; trails: Trails; put: Ask; get: Ask }> {
  const rig = new TrailRig();
  await rig.createBucket();
  const trails = await rig.open();
  await rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET, IsMultiRegionTrail: true });
  await rig.send(trails, 'PutEventSelectors', { TrailName: 'main', AdvancedEventSelectors: DATA });
  const ask =
    (name: string): Ask =>
    (input, call) =>
      rig.send(trails, name, input, call).catch((error: { code?: string }) => error.code ?? error);
  return { rig, trails, put: ask('PutEventConfiguration'), get: ask('GetEventConfiguration') };
}

type Ask = (input: object, call?: ReturnType<TrailRig['call']>) => Promise<unknown>;

describe('PutEventConfiguration', () => {
  test('sets the templates of a trail, replaces them, and an empty list takes them away', async () => {
    const { put, get } = await withTrail();
    const none = { TrailARN: ARN, AggregationConfigurations: [] };
    expect(await get({ TrailName: 'main' })).toEqual(none);
    const two = { TrailARN: ARN, AggregationConfigurations: by('USER_ACTIONS', 'API_ACTIVITY') };
    expect(await put({ TrailName: 'main', AggregationConfigurations: by('USER_ACTIONS', 'API_ACTIVITY', 'USER_ACTIONS') })).toEqual(two);
    expect(await get({ TrailName: ARN })).toEqual(two);
    expect(await put({ TrailName: ARN, AggregationConfigurations: by('RESOURCE_ACCESS') })).toMatchObject({
      AggregationConfigurations: by('RESOURCE_ACCESS'),
    });
    expect(await put({ TrailName: 'main', AggregationConfigurations: [] })).toEqual(none);
    expect(await get({ TrailName: 'main' })).toEqual(none);
  });

  test('is a configuration fact that says what is taken away, and none when nothing changes', async () => {
    const { rig, put } = await withTrail();
    const facts = async () => {
      const entries = await rig.journal.read(0n, 1_000);
      return entries
        .filter(({ kind, bytes }) => kind === 'fact' && new TextDecoder().decode(bytes).includes('PutEventConfiguration'))
        .map(({ bytes }) => JSON.parse(new TextDecoder().decode(bytes)).takesNoMore);
    };
    await put({ TrailName: 'main', AggregationConfigurations: by('USER_ACTIONS', 'API_ACTIVITY') });
    await put({ TrailName: 'main', AggregationConfigurations: by('USER_ACTIONS', 'API_ACTIVITY') });
    await put({ TrailName: 'main', AggregationConfigurations: by('RESOURCE_ACCESS', 'USER_ACTIONS') });
    expect((await facts()).map((lost) => lost ?? [])).toEqual([[], ['aggregated data events of the template API_ACTIVITY']]);
  });

  test('narrows when a template is taken away, and not when one is added', async () => {
    const { rig, trails, put } = await withTrail();
    const narrows = async (...templates: readonly string[]) => {
      const input = { TrailName: 'main', AggregationConfigurations: templates.length === 0 ? [] : by(...templates) };
      return (await rig.decide(trails, 'PutEventConfiguration', input)).narrows;
    };
    await put({ TrailName: 'main', AggregationConfigurations: by('USER_ACTIONS') });
    expect(await narrows('API_ACTIVITY', 'USER_ACTIONS')).toBeUndefined();
    expect(await narrows()).toBe(`the trail ${ARN} aggregates data events no more by USER_ACTIONS`);
  });

  test('needs a trail that logs data events, and stays when they are taken away later', async () => {
    const { rig, trails, put, get } = await withTrail();
    const config = { TrailName: 'main', AggregationConfigurations: by('USER_ACTIONS') };
    await put(config);
    const EventSelectors = [{ ReadWriteType: 'All', IncludeManagementEvents: true }];
    await rig.send(trails, 'PutEventSelectors', { TrailName: 'main', EventSelectors });
    expect(await get({ TrailName: 'main' })).toMatchObject({ AggregationConfigurations: by('USER_ACTIONS') });
    expect(await put({ ...config, AggregationConfigurations: by('API_ACTIVITY') })).toBe('InvalidParameterException');
    expect(await put({ ...config, AggregationConfigurations: [] })).toMatchObject({ AggregationConfigurations: [] });
  });

  test('takes a trail or an event data store, with what each of them has', async () => {
    const { put, get } = await withTrail();
    const COMBINATION = 'InvalidParameterCombinationException';
    const ContextKeySelectors = [{ Type: 'TagContext', Equals: ['team'] }];
    for (const [code, input] of [
      [COMBINATION, {}],
      [COMBINATION, { TrailName: 'main', EventDataStore: STORE, AggregationConfigurations: [] }],
      [COMBINATION, { TrailName: 'main' }],
      [COMBINATION, { TrailName: 'main', MaxEventSize: 'Large', AggregationConfigurations: [] }],
      [COMBINATION, { TrailName: 'main', ContextKeySelectors, AggregationConfigurations: [] }],
      [COMBINATION, { EventDataStore: STORE, AggregationConfigurations: [] }],
      [COMBINATION, { EventDataStore: STORE }],
      [COMBINATION, { EventDataStore: STORE, MaxEventSize: 'Standard', ContextKeySelectors }],
      [
        'InvalidParameterException',
        { EventDataStore: STORE, MaxEventSize: 'Large', ContextKeySelectors: [...ContextKeySelectors, ...ContextKeySelectors] },
      ],
      ['EventDataStoreARNInvalidException', { EventDataStore: 'store', MaxEventSize: 'Large' }],
      ['EventDataStoreARNInvalidException', { EventDataStore: ARN, MaxEventSize: 'Large' }],
      ['EventDataStoreNotFoundException', { EventDataStore: STORE, MaxEventSize: 'Large', ContextKeySelectors }],
      ['InvalidTrailNameException', { TrailName: 'a', AggregationConfigurations: [] }],
      ['CloudTrailARNInvalidException', { TrailName: 'arn:aws:s3:::main', AggregationConfigurations: [] }],
      ['TrailNotFoundException', { TrailName: 'none', AggregationConfigurations: [] }],
    ] as const)
      expect([input, await put(input)]).toEqual([input, code]);
    for (const [code, input] of [
      [COMBINATION, {}],
      [COMBINATION, { TrailName: 'main', EventDataStore: STORE }],
      ['EventDataStoreARNInvalidException', { EventDataStore: 'x' }],
      ['EventDataStoreNotFoundException', { EventDataStore: STORE }],
      ['TrailNotFoundException', { TrailName: 'none' }],
    ] as const)
      expect([input, await get(input)]).toEqual([input, code]);
  });

  test('is for the home Region and the owner; shadows show it', async () => {
    const { rig, put, get } = await withTrail();
    const there = () => rig.call(TRAIL_ACCOUNT, 'us-west-2' as Region);
    const input = { TrailName: 'main', AggregationConfigurations: by('USER_ACTIONS') };
    expect(await put(input, there())).toBe('InvalidHomeRegionException');
    expect(await put({ ...input, TrailName: ARN }, rig.call(STRANGER))).toBe('TrailNotFoundException');
    expect(await get({ TrailName: ARN }, rig.call(STRANGER))).toBe('TrailNotFoundException');
    await put(input);
    expect(await get({ TrailName: 'main' }, there())).toMatchObject({ AggregationConfigurations: by('USER_ACTIONS') });
  });
});
