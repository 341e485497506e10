/**
 * Every call of every store fails once: refused, or done with its answer lost; and the process goes on, or dies.
 *
 * Whatever fails, each selected event is in exactly one log file, the chains hold, the receipts are dense, the books add
 * up; and a process that died and came back has written the same log files and digests as one that never failed.
 * reliability.md F17, F19, F23, F24, F45. All calls with `SNOWTRAIL_SWEEP=1`, else a part of them.
 */
import { describe, expect, test } from 'vitest';
import type { Region } from '../../src/event/types.ts';
import type { Trails } from '../../src/trail/create-trails.ts';
import { checkTrail, type TrailFindings } from '../support/check-trail.ts';
import { everyFault, writtenOtherwise, wrongVerdicts } from '../support/planned-faults.ts';
import { IS_SWEEP } from '../support/sweep.ts';
import { BUCKET, DIGEST_MS, FLUSH_MS, HOME, type PlannedFault, TrailRig } from '../support/trail-rig.ts';

const WEST = 'us-west-2' as Region;
const STRIDE = IS_SWEEP ? 1 : 5;

interface Outcome {
  readonly found: TrailFindings;
  /** Ids of the events that the trail must have delivered. */
  readonly expected: readonly string[];
  readonly unexplained: number;
  readonly calls: ReadonlyMap<string, number>;
  readonly hasHit: boolean;
}

/** A trail from its start to its end, over three intervals and two Regions, with a fault on the way. */
async function live(fault?: PlannedFault): Promise<Outcome> {
  const rig = new TrailRig();
  await rig.createBucket();
  let trails = await rig.open();
  const settle = async () => {
    trails = await rig.outlive(trails);
  };
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += FLUSH_MS) {
      await rig.clock.advance(FLUSH_MS);
      await settle();
    }
  };
  const send = async (name: string, input: object = {}) => {
    rig.isQuiet = true;
    await rig.send(trails, name, { Name: 'main', ...input });
    rig.isQuiet = false;
  };

  await send('CreateTrail', { S3BucketName: BUCKET, EnableLogFileValidation: true, IsMultiRegionTrail: true });
  if (fault !== undefined) rig.fault = fault;
  await send('StartLogging');
  const expected = [await rig.record(HOME)];
  await settle();
  await pass(DIGEST_MS);
  for (const region of [HOME, WEST, HOME]) expected.push(await rig.record(region));
  await rig.record(HOME, { source: 'import' });
  await pass(DIGEST_MS);
  expected.push(await rig.record(WEST));
  await send('StopLogging');
  const stop = (await rig.journal.read(0n, 1_000)).findLast(({ source }) => source === 'own-call')!;
  expected.push(stop.id);
  // Longer than the longest back-off.
  await pass(2 * DIGEST_MS);

  rig.isQuiet = true;
  return {
    found: await checkTrail(rig, BUCKET),
    expected: [...expected].sort(),
    unexplained: await unexplained(rig, trails),
    calls: rig.calls,
    hasHit: rig.hasHit(),
  };
}

async function unexplained(rig: TrailRig, trails: Trails): Promise<number> {
  const [follower] = trails.followers();
  const entries = await rig.journal.read(0n, 10_000);
  const passed = entries.filter(({ kind, sequence }) => kind === 'event' && sequence > follower!.start() && sequence <= follower!.cursor());
  return passed.length - follower!.counts().reduce((sum, { delivered, filtered }) => sum + delivered + filtered, 0);
}

/** What must hold after any run, as one value. */
function verdict({ found, unexplained }: Outcome): object {
  return { faults: found.faults, events: [...found.events].sort(), unexplained, kinds: found.receipts.map(({ kind }) => kind).at(-1) };
}

const clean = await live();
const wanted = { faults: [], events: clean.expected, unexplained: 0, kinds: 'stop' };
const faults = everyFault(clean.calls);
/** Every `STRIDE`-th of them, from this one on. */
const part = (first: number) => faults.filter((_, index) => index % STRIDE === first % STRIDE);

describe('a fault at any call of a store', () => {
  test('without one, everything is delivered, and a second run writes the same bytes', async () => {
    expect(verdict(clean)).toEqual(wanted);
    expect((await live()).found.objects).toEqual(clean.found.objects);
    expect(faults.length).toBeGreaterThan(200);
  });

  test('the process goes on: nothing is lost or doubled', { timeout: 600_000 }, async () => {
    expect(await wrongVerdicts(part(0), live, verdict, wanted)).toEqual([]);
  });

  test('the process dies and comes back: it has written the same log files and digests', { timeout: 600_000 }, async () => {
    const files = ({ found }: Outcome) => ({
      differing: writtenOtherwise(clean.found, found),
      added: [...found.objects.keys()].filter((key) => !clean.found.objects.has(key)),
    });
    const crash = (fault: PlannedFault) => live({ ...fault, isCrash: true });
    const whole = (outcome: Outcome) => ({ ...verdict(outcome), ...files(outcome) });
    expect(await wrongVerdicts(part(1), crash, whole, { ...wanted, differing: [], added: [] })).toEqual([]);
  });
});
