/**
 * Every call of every store fails once while data events are aggregated: refused, or done with its answer lost; and the process goes on,
 * or dies, also between the end of a window and the commit of what it came to.
 *
 * Whatever fails, each data event is in one log file and counted once, in the window of its time; a process that died and came back has
 * written the same files as one that never failed.
 * reliability.md F19, F23. All calls with `SNOWTRAIL_SWEEP=1`, else a part of them.
 */
import { describe, expect, test } from 'vitest';
import type { Region } from '../../src/event/types.ts';
import { checkTrail, type TrailFindings } from '../support/check-trail.ts';
import { everyFault, writtenOtherwise, wrongVerdicts } from '../support/planned-faults.ts';
import { IS_SWEEP } from '../support/sweep.ts';
import { BUCKET, HOME, type PlannedFault, TrailRig } from '../support/trail-rig.ts';

const WEST = 'us-west-2' as Region;
const STRIDE = IS_SWEEP ? 1 : 11;
const WINDOW_MS = 300_000;
const PIECE_MS = 30_000;

const SELECTOR = [
  {
    FieldSelectors: [
      { Field: 'eventCategory', Equals: ['Data'] },
      { Field: 'resources.type', Equals: ['AWS::S3::Object'] },
    ],
  },
];

interface Outcome {
  readonly found: TrailFindings;
  /** Calls by store and method: before faults begin, and in all. */
  readonly callsBefore: ReadonlyMap<string, number>;
  readonly calls: ReadonlyMap<string, number>;
  readonly hasHit: boolean;
}

/** A trail over two windows, a late event, a change of the templates and a stop, with a fault on the way. */
async function live(fault?: PlannedFault): Promise<Outcome> {
  const rig = new TrailRig();
  await rig.createBucket();
  let trails = await rig.open();
  const settle = async () => {
    trails = await rig.outlive(trails);
  };
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += PIECE_MS) {
      await rig.clock.advance(PIECE_MS);
      await settle();
    }
  };
  const send = async (name: string, input: object = {}) => {
    rig.isQuiet = true;
    await rig.send(trails, name, { Name: 'main', TrailName: 'main', ...input });
    rig.isQuiet = false;
  };
  const aggregate = (...Templates: readonly string[]) =>
    send('PutEventConfiguration', { AggregationConfigurations: [{ EventCategory: 'Data', Templates }] });
  const object = (eventName: string, region: Region = HOME, agoMs = 0) =>
    rig.record(region, {
      eventName,
      members: {
        eventTime: new Date(rig.clock.nowMs() - agoMs).toISOString().replace(/\.[0-9]+/, ''),
        eventSource: 's3.amazonaws.com',
        eventCategory: 'Data',
        managementEvent: false,
        resources: [{ type: 'AWS::S3::Object', ARN: 'arn:aws:s3:::b/k' }],
      },
    });

  await send('CreateTrail', { S3BucketName: BUCKET, EnableLogFileValidation: true, IsMultiRegionTrail: true });
  await send('PutEventSelectors', { AdvancedEventSelectors: SELECTOR });
  await aggregate('API_ACTIVITY');
  await send('StartLogging');
  // To the beginning of a window.
  await rig.clock.advance(WINDOW_MS - (rig.clock.nowMs() % WINDOW_MS) + 1);
  await settle();
  const callsBefore = new Map(rig.calls);
  if (fault !== undefined) rig.fault = fault;
  await object('GetObject');
  await object('GetObject', WEST);
  await pass(PIECE_MS);
  await object('GetObject');
  await pass(WINDOW_MS - PIECE_MS);
  await object('PutObject', HOME, PIECE_MS);
  await object('PutObject');
  await pass(2 * PIECE_MS);
  await object('DeleteObject', HOME, WINDOW_MS);
  await pass(WINDOW_MS);
  await object('GetObject');
  await aggregate('RESOURCE_ACCESS');
  await object('GetObject');
  await send('StopLogging');
  // Longer than the longest back-off.
  await pass(2 * 60_000 + PIECE_MS);

  rig.isQuiet = true;
  return {
    found: await checkTrail(rig, BUCKET),
    callsBefore,
    calls: rig.calls,
    hasHit: rig.hasHit(),
  };
}

/** What must hold after any run, as one value: how often each value was counted in each window, in however many records. */
function verdict({ found }: Outcome): object {
  const counts = new Map<string, number>();
  for (const { awsRegion, timeWindow, summary } of found.aggregated)
    for (const { name, value } of summary.primaryDimension.statistics) {
      const key = `${awsRegion} ${timeWindow.windowStart.slice(11, 16)} ${name}`;
      counts.set(key, (counts.get(key) ?? 0) + value);
    }
  const ids = found.aggregated.map(({ eventId }) => eventId);
  return { faults: found.faults, counts: [...counts].sort(), events: found.events.length, hasOwnIds: new Set(ids).size === ids.length };
}

const clean = await live();
const wanted = {
  faults: [],
  counts: [
    ['eu-central-1 03:05 DeleteObject', 1],
    ['eu-central-1 03:05 GetObject', 2],
    ['eu-central-1 03:05 PutObject', 1],
    ['eu-central-1 03:10 PutObject', 1],
    ['eu-central-1 03:15 GetObject', 1],
    ['eu-central-1 03:15 arn:aws:s3:::b', 1],
    ['us-west-2 03:05 GetObject', 1],
  ],
  events: 8,
  hasOwnIds: true,
};
const faults = everyFault(clean.calls, clean.callsBefore);
/** Every `STRIDE`-th of them, from this one on. */
const part = (first: number) => faults.filter((_, index) => index % STRIDE === first % STRIDE);

describe('a fault at any call of a store, while data events are aggregated', () => {
  test('without one, each is counted once, and a second run writes the same bytes', async () => {
    expect(verdict(clean)).toEqual(wanted);
    expect((await live()).found.objects).toEqual(clean.found.objects);
    expect(faults.length).toBeGreaterThan(200);
  });

  test('the process goes on: none is lost or counted twice', { timeout: 600_000 }, async () => {
    expect(await wrongVerdicts(part(0), live, verdict, wanted)).toEqual([]);
  });

  test('the process dies and comes back: it has written the same files', { timeout: 600_000 }, async () => {
    const crash = (fault: PlannedFault) => live({ ...fault, isCrash: true });
    const whole = (outcome: Outcome) => ({ ...verdict(outcome), differing: writtenOtherwise(clean.found, outcome.found) });
    expect(await wrongVerdicts(part(1), crash, whole, { ...wanted, differing: [] })).toEqual([]);
  });
});
