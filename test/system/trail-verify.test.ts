/**
 * What trails deliver, whatever happened to them, is what the verifier and the AWS CLI call valid.
 *
 * The trails run on memory stores with a real evidence tree; neither reader shares code with delivery. reliability.md P12,
 * P13, F28, F29, F33–F36; features.md TR4, DL5, IN1.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { BucketName, Region } from '../../src/event/types.ts';
import { trailArn } from '../../src/trail/trail.ts';
import { folderSource } from '../../src/verify/folder-source.ts';
import type { OpenPlace } from '../../src/verify/open-places.ts';
import type { VerifyReport } from '../../src/verify/report.ts';
import type { CallServer } from '../../src/verify/server-evidence.ts';
import type { EvidenceSource } from '../../src/verify/source.ts';
import { validateLogs, whyNoAwsCli } from '../support/aws-validate-logs.ts';
import { MemoryBucket } from '../support/evidence-builder.ts';
import { IS_SWEEP } from '../support/sweep.ts';
import { answerOf, Installation, verifyUnderFirstKey } from '../support/trail-installation.ts';
import { BUCKET, DIGEST_MS, type FaultKind, FLUSH_MS, HOME, type PlannedFault, TRAIL_ACCOUNT } from '../support/trail-rig.ts';

const WEST = 'us-west-2' as Region;

interface Story {
  readonly what: string;
  /** Digests of both chains, so that a story in which nothing happens does not pass. */
  readonly digestsMin: number;
  /** Happens before there is a trail. */
  readonly before?: (it: Installation) => Promise<void>;
  /** Regions that the AWS CLI validates; the home Region when absent. */
  readonly regions?: readonly Region[];
  readonly happens: (it: Installation) => Promise<void>;
}

const S3_EVENT = {
  eventSource: 's3.amazonaws.com',
  eventCategory: 'Data',
  managementEvent: false,
  resources: [{ type: 'AWS::S3::Object', ARN: 'arn:aws:s3:::b/k' }],
};
const S3_SELECTOR = [
  {
    FieldSelectors: [
      { Field: 'eventCategory', Equals: ['Data'] },
      { Field: 'resources.type', Equals: ['AWS::S3::Object'] },
    ],
  },
];

const stories: readonly Story[] = [
  {
    what: 'two Regions over several intervals',
    digestsMin: 6,
    happens: async (it) => {
      for (let round = 0; round < 4; round++) {
        await it.rig.record(HOME);
        if (round > 0) await it.rig.record(WEST);
        await it.pass(DIGEST_MS);
      }
    },
  },
  {
    what: 'a Region that is used, and in which nothing is delivered',
    digestsMin: 4,
    regions: [HOME, WEST],
    happens: async (it) => {
      await it.rig.record(HOME);
      await it.rig.record(WEST, { source: 'import' });
      await it.pass(3 * DIGEST_MS);
    },
  },
  {
    what: 'stopped and started again, at once and after a while (F34)',
    digestsMin: 5,
    happens: async (it) => {
      for (const pauseMs of [0, 3 * DIGEST_MS]) {
        await it.rig.record(HOME);
        await it.pass(DIGEST_MS);
        await it.send('StopLogging');
        await it.work();
        if (pauseMs > 0) await it.pass(pauseMs);
        await it.send('StartLogging');
        await it.work();
      }
      await it.rig.record(HOME);
      await it.pass(2 * DIGEST_MS);
    },
  },
  {
    what: 'stopped, and left so (F34)',
    digestsMin: 2,
    happens: async (it) => {
      await it.rig.record(HOME);
      await it.pass(DIGEST_MS);
      await it.send('StopLogging');
      await it.pass(3 * DIGEST_MS);
    },
  },
  {
    what: 'validation switched off for a while (F35)',
    digestsMin: 3,
    happens: async (it) => {
      await it.rig.record(HOME);
      await it.pass(DIGEST_MS);
      await it.send('UpdateTrail', { EnableLogFileValidation: false });
      await it.rig.record(HOME);
      await it.pass(2 * DIGEST_MS);
      await it.send('UpdateTrail', { EnableLogFileValidation: true });
      await it.rig.record(HOME);
      await it.pass(2 * DIGEST_MS);
    },
  },
  {
    what: 'one Region instead of all, and all again',
    digestsMin: 6,
    happens: async (it) => {
      for (const isMultiRegion of [false, true]) {
        await it.rig.record(HOME);
        await it.rig.record(WEST);
        await it.pass(DIGEST_MS);
        await it.send('UpdateTrail', { IsMultiRegionTrail: isMultiRegion });
        await it.pass(DIGEST_MS);
      }
      await it.rig.record(WEST);
      await it.pass(2 * DIGEST_MS);
    },
  },
  {
    what: 'the bucket away for many intervals (F16)',
    digestsMin: 20,
    happens: async (it) => {
      await it.rig.record(HOME);
      await it.pass(DIGEST_MS);
      it.rig.outage = 'ServiceUnavailable';
      for (let minute = 0; minute < 20; minute++) {
        await it.rig.record(HOME);
        await it.pass(DIGEST_MS);
      }
      it.rig.outage = undefined;
      await it.pass(3 * DIGEST_MS);
    },
  },
  {
    what: 'the server down for many intervals, twice (F33)',
    digestsMin: 20,
    happens: async (it) => {
      for (let round = 0; round < 2; round++) {
        await it.rig.record(HOME);
        await it.pass(DIGEST_MS);
        await it.rig.clock.advance(10 * DIGEST_MS + 7_000);
        await it.open();
        await it.work();
      }
      await it.rig.record(HOME);
      await it.pass(2 * DIGEST_MS);
    },
  },
  {
    what: 'keys rotated between intervals and within one (F36)',
    digestsMin: 4,
    happens: async (it) => {
      for (const use of ['digest', 'checkpoint', 'digest', 'checkpoint'] as const) {
        await it.rig.record(HOME);
        await it.pass(DIGEST_MS);
        await it.rig.rotateKey(use);
      }
      await it.pass(2 * DIGEST_MS);
    },
  },
  {
    what: 'the checkpoint key rotated three times while the bucket was away (F36)',
    digestsMin: 4,
    happens: async (it) => {
      await it.rig.record(HOME);
      await it.pass(DIGEST_MS);
      it.rig.outage = 'ServiceUnavailable';
      await it.rig.record(HOME);
      await it.pass(DIGEST_MS);
      for (let count = 0; count < 3; count++) await it.rig.rotateKey('checkpoint');
      await it.pass(DIGEST_MS);
      it.rig.outage = undefined;
      await it.pass(2 * DIGEST_MS);
    },
  },
  {
    what: 'the checkpoint key rotated three times while the trail was off, and once more when it logs again (F36)',
    digestsMin: 4,
    happens: async (it) => {
      await it.rig.record(HOME);
      await it.pass(DIGEST_MS);
      await it.send('StopLogging');
      await it.work();
      for (let count = 0; count < 3; count++) await it.rig.rotateKey('checkpoint');
      await it.pass(DIGEST_MS);
      await it.send('StartLogging');
      await it.rig.record(HOME);
      await it.pass(2 * DIGEST_MS);
      await it.rig.rotateKey('checkpoint');
      await it.pass(DIGEST_MS);
    },
  },
  {
    what: 'the checkpoint key rotated three times before there was a trail (F36)',
    digestsMin: 2,
    before: async (it) => {
      for (let count = 0; count < 3; count++) await it.rig.rotateKey('checkpoint');
    },
    happens: async (it) => {
      await it.rig.record(HOME);
      await it.pass(2 * DIGEST_MS);
    },
  },
  {
    what: 'the clock set two minutes back and three forth (F28, F29)',
    digestsMin: 5,
    happens: async (it) => {
      for (const jumpMs of [-2 * DIGEST_MS, 3 * DIGEST_MS, 0]) {
        await it.rig.record(HOME);
        await it.pass(2 * DIGEST_MS);
        it.rig.clock.jump(jumpMs);
      }
      await it.rig.record(WEST);
      await it.pass(3 * DIGEST_MS);
    },
  },
  {
    what: 'data events aggregated, over a change of the templates, a stop, a restart and a move of the clock',
    digestsMin: 30,
    happens: async (it) => {
      const objectRead = (region: Region) => it.rig.record(region, { eventName: 'GetObject', members: S3_EVENT });
      await it.send('PutEventSelectors', { TrailName: 'main', AdvancedEventSelectors: S3_SELECTOR });
      for (const Templates of [['API_ACTIVITY', 'USER_ACTIONS'], ['RESOURCE_ACCESS']]) {
        await it.send('PutEventConfiguration', { TrailName: 'main', AggregationConfigurations: [{ EventCategory: 'Data', Templates }] });
        for (const region of [HOME, WEST, HOME]) await objectRead(region);
        await it.pass(7 * DIGEST_MS);
        await objectRead(HOME);
        await it.pass(DIGEST_MS);
      }
      await it.open();
      await objectRead(HOME);
      await it.pass(FLUSH_MS);
      it.rig.clock.jump(-2 * DIGEST_MS);
      await objectRead(WEST);
      await it.pass(DIGEST_MS);
      await it.send('StopLogging');
      await it.pass(DIGEST_MS);
      await it.send('StartLogging');
      await objectRead(WEST);
      await it.pass(9 * DIGEST_MS);
      const keys = (await it.rig.objects.list(BUCKET, { limit: 1_000 })).objects.map(({ key }) => key);
      expect(keys.filter((key) => key.includes('/CloudTrail-Aggregated/'))).toHaveLength(8);
    },
  },
  {
    what: 'the trail deleted and made anew in the same bucket',
    digestsMin: 4,
    happens: async (it) => {
      await it.rig.record(HOME);
      await it.pass(DIGEST_MS);
      await it.send('DeleteTrail');
      await it.pass(DIGEST_MS);
      await it.send('CreateTrail', { S3BucketName: BUCKET, EnableLogFileValidation: true });
      await it.send('StartLogging');
      await it.rig.record(HOME);
      await it.pass(2 * DIGEST_MS);
    },
  },
];

async function tell(story: Story): Promise<Installation> {
  const it = new Installation();
  await it.rig.createBucket();
  await it.open();
  await story.before?.(it);
  await it.send('CreateTrail', { S3BucketName: BUCKET, EnableLogFileValidation: true, IsMultiRegionTrail: true });
  await it.send('StartLogging');
  await it.work();
  await story.happens(it);
  return it;
}

async function readBucket({ rig }: Installation, name: BucketName = BUCKET): Promise<MemoryBucket> {
  const bucket = new MemoryBucket(name);
  const page = await rig.objects.list(name, { limit: 1_000 });
  expect(page.next).toBeUndefined();
  for (const { key } of page.objects) {
    const { info, body } = (await rig.objects.get(name, key))!;
    const pieces: Uint8Array[] = [];
    for await (const piece of body) pieces.push(piece);
    bucket.put(key, new Uint8Array(Buffer.concat(pieces)), info.metadata);
  }
  return bucket;
}

const whyNoCli = whyNoAwsCli();
if (whyNoCli !== undefined) console.warn(`skipped: the AWS CLI on what trails deliver: ${whyNoCli}`);

describe('what a trail has delivered', () => {
  for (const story of stories) {
    test(`${story.what}: the verifier finds it complete and consistent`, async () => {
      const it = await tell(story);
      const bucket = await readBucket(it);
      const report = await verifyUnderFirstKey(it, bucket.source(), (operation, input) => answerOf(it, operation, input));
      expect(deciding(report)).toEqual([]);
      expect(report.exitCode).toBe(0);
      expect(report.counts.digest.valid + report.counts['backfill-digest'].valid).toBeGreaterThanOrEqual(story.digestsMin);
    });

    test(`${story.what}: any one file that cannot be read makes it incomplete, and no other tampered`, async () => {
      const it = await tell(story);
      const bucket = await readBucket(it);
      await expectUndecided(it, bucket.source(), bucket.keys('/main/'), bucket.keys('/CloudTrail-Digest/'));
    });

    test.skipIf(whyNoCli !== undefined)(`${story.what}: the AWS CLI finds every file valid`, async () => {
      const it = await tell(story);
      const bucket = await readBucket(it);
      for (const region of story.regions ?? [HOME]) {
        const { exitCode, output } = await validateLogs(await asBuilder(it), bucket, { region });
        expect(output).not.toContain('INVALID');
        expect(exitCode).toBe(0);
        const digests = bucket.keys(`/CloudTrail-Digest/${region}/`);
        expect(digests.length).toBeGreaterThan(0);
        for (const file of digests) expect(output).toContain(`Digest file\ts3://${BUCKET}/${file}\tvalid`);
      }
    });
  }
});

describe('a trail that was moved to another bucket and back', () => {
  const SECOND = 'second-bucket' as BucketName;

  async function moveThereAndBack(isOff: boolean): Promise<Installation> {
    return tell({
      what: '',
      digestsMin: 0,
      happens: async (it) => {
        await it.rig.createBucket({ bucket: SECOND });
        for (const bucket of [SECOND, BUCKET]) {
          await it.rig.record(HOME);
          await it.rig.record(WEST);
          await it.pass(DIGEST_MS);
          await it.rig.record(HOME);
          await it.pass(FLUSH_MS);
          if (isOff) await it.send('StopLogging');
          await it.work();
          await it.send('UpdateTrail', { S3BucketName: bucket });
          if (isOff) await it.send('StartLogging');
          await it.pass(DIGEST_MS);
        }
        await it.rig.record(HOME);
        await it.pass(2 * DIGEST_MS);
      },
    });
  }

  for (const isOff of [false, true]) {
    const how = isOff ? 'while it was off' : 'while it was logging';

    test(`${how}: copies of both are complete and consistent`, async () => {
      const it = await moveThereAndBack(isOff);
      const folder = await mkdtemp(join(tmpdir(), 'snowtrail-moved-'));
      try {
        for (const name of [BUCKET, SECOND]) {
          const bucket = await readBucket(it, name);
          // The probe that the trail may write, which a folder cannot hold.
          for (const key of bucket.keys().filter((each) => each.endsWith('/'))) bucket.objects.delete(key);
          await bucket.writeTo(join(folder, name));
        }
        const report = await verifyUnderFirstKey(it, await folderSource(folder));
        expect(deciding(report)).toEqual([]);
        expect(report.counts.digest.valid).toBeGreaterThanOrEqual(8);
      } finally {
        await rm(folder, { recursive: true });
      }
    });

    test(`${how}: both are read from whichever is named, and complete; any one file that is gone is missing`, async () => {
      const it = await moveThereAndBack(isOff);
      const both = [await readBucket(it), await readBucket(it, SECOND)];
      const callServer: CallServer = (operation, input) => answerOf(it, operation, input);
      for (const named of both) {
        const report = await verifyPlaces(it, both, named, callServer);
        expect(deciding(report)).toEqual([]);
        expect(report.counts.digest.valid).toBeGreaterThanOrEqual(8);
        expect(deciding(await verifyPlaces(it, both, named))).toEqual([]);
      }
      for (const [index, bucket] of both.entries()) {
        for (const key of bucket.keys().filter((each) => !each.includes('/keys/') && !each.endsWith('/'))) {
          const cut = both.map((each) => each.copy());
          cut[index]!.objects.delete(key);
          for (const named of cut) {
            const report = await verifyPlaces(it, cut, named, callServer);
            const missing = report.files.filter(({ verdict }) => verdict === 'missing').map((file) => file.key);
            expect([report.exitCode, missing]).toEqual([1, [`${bucket.name}/${key}`]]);
          }
        }
      }
    });

    test(`${how}: any one file of both that cannot be read makes it incomplete, and no other tampered`, async () => {
      const it = await moveThereAndBack(isOff);
      const both = [await readBucket(it), await readBucket(it, SECOND)];
      await withCopies(both, (source, keys) =>
        expectUndecided(
          it,
          source,
          keys.filter((key) => !key.endsWith('/')),
        ),
      );
      for (const [index, bucket] of both.entries()) {
        for (const refused of bucket.keys().filter((each) => !each.endsWith('/'))) {
          const unread = both.map((each) => each.copy());
          unread[index]!.unreadable.add(refused);
          for (const named of unread) {
            const report = await verifyPlaces(it, unread, named);
            const tampered = report.findings.filter(({ level }) => level === 'tampered');
            expect({ refused, tampered, exit: report.exitCode }).toEqual({ refused, tampered: [], exit: 2 });
          }
        }
      }
    });

    test(`${how}: each of them alone is incomplete, and says that the rest lies elsewhere`, async () => {
      const it = await moveThereAndBack(isOff);
      for (const name of [BUCKET, SECOND]) {
        const report = await verifyUnderFirstKey(it, (await readBucket(it, name)).source());
        expect(new Set(deciding(report).map(({ level, code }) => `${level} ${code}`))).toEqual(new Set(['incomplete elsewhere']));
        expect(report.exitCode).toBe(2);
      }
    });

    test(`${how}: a receipt that was removed beside those that lie elsewhere is missing`, async () => {
      const it = await moveThereAndBack(isOff);
      const bucket = await readBucket(it);
      const numbers = bucket.keys('/receipts/').map((key) => Number(key.slice(-17, -5)));
      const lastBeforeMove = numbers.findIndex((number, index) => number !== index + 1);
      for (const number of [lastBeforeMove, numbers[lastBeforeMove]!]) {
        const cut = await readBucket(it);
        const [key] = cut.keys(`/receipts/${String(number).padStart(12, '0')}.note`);
        cut.objects.delete(key!);
        const report = await verifyUnderFirstKey(it, cut.source());
        expect(report.exitCode).toBe(1);
        expect(deciding(report)).toContainEqual(expect.objectContaining({ level: 'tampered', code: 'receipt-missing', key }));
      }
    });

    test.skipIf(whyNoCli !== undefined)(`${how}: the AWS CLI finds every file valid`, async () => {
      const it = await moveThereAndBack(isOff);
      const [bucket, second] = [await readBucket(it), await readBucket(it, SECOND)];
      const { exitCode, output } = await validateLogs(await asBuilder(it), bucket, { others: [second] });
      expect([exitCode, output.match(/INVALID.*/g)]).toEqual([0, null]);
      const followed = isOff ? [bucket] : [bucket, second];
      for (const each of followed)
        for (const file of each.keys(`/CloudTrail-Digest/${HOME}/`))
          expect(output).toContain(`Digest file\ts3://${each.name}/${file}\tvalid`);
    });
  }
});

/** Refuses each of the files in turn. Digests are refused together, too. */
async function expectUndecided(
  it: Installation,
  source: EvidenceSource,
  files: readonly string[],
  together: readonly string[] = [],
): Promise<void> {
  for (const refused of [...[...files, ...together].map((key) => [key]), together].filter((keys) => keys.length > 0)) {
    const get: EvidenceSource['get'] = async (key, max) =>
      refused.includes(key) ? { kind: 'unreadable', reason: 'status 403' } : source.get(key, max);
    const report = await verifyUnderFirstKey(it, { ...source, get });
    const tampered = report.findings.filter(({ level }) => level === 'tampered');
    expect({ refused, tampered, exit: report.exitCode }).toEqual({ refused, tampered: [], exit: 2 });
    const named = report.findings.filter(({ code, key = '' }) => /^(unreadable|key-file)$/.test(code) && refused.includes(key));
    expect(named).toHaveLength(refused.length);
  }
}

/** Copies of whole buckets in one folder, each under its name. */
function verifyCopies(it: Installation, buckets: readonly MemoryBucket[]): Promise<VerifyReport> {
  return withCopies(buckets, (source) => verifyUnderFirstKey(it, source));
}

/** Verifies one bucket, with all that it leads to. */
function verifyPlaces(
  it: Installation,
  buckets: readonly MemoryBucket[],
  named: MemoryBucket,
  callServer?: CallServer,
): Promise<VerifyReport> {
  const openPlace: OpenPlace = ({ bucket, prefix }) => buckets.find(({ name }) => name === bucket)!.source(prefix);
  return verifyUnderFirstKey(it, named.source(), callServer, openPlace);
}

async function withCopies<T>(
  buckets: readonly MemoryBucket[],
  use: (source: EvidenceSource, keys: readonly string[]) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'snowtrail-copies-'));
  try {
    for (const bucket of buckets) {
      const copy = bucket.copy();
      // The probe that the trail may write, which a folder cannot hold.
      for (const key of copy.keys().filter((each) => each.endsWith('/'))) copy.objects.delete(key);
      await copy.writeTo(join(folder, bucket.name));
    }
    const keys = buckets.flatMap((bucket) => bucket.keys().map((key) => `${bucket.name}/${key}`));
    return await use(await folderSource(folder), keys);
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('a trail that is moved away from a bucket that fails in the middle of a step (F16–F19)', () => {
  const SECOND = 'second-bucket' as BucketName;
  const THIRD = 'third-bucket' as BucketName;
  /** What the bucket refuses: what the receipt names, or the receipt as well. */
  const RECEIPT_CAME = /\/CloudTrail(-Digest)?\//;
  const NOTHING_CAME = /\/CloudTrail(-Digest)?\/|\/receipts\//;

  /** Delivers in the first bucket, fails there, and goes on from bucket to bucket; the last one works. */
  async function moveAway(refused: RegExp, kind: 'log files' | 'digest', buckets: readonly BucketName[]): Promise<Installation> {
    return tell({
      what: '',
      digestsMin: 0,
      happens: async (it) => {
        for (const bucket of [SECOND, THIRD]) await it.rig.createBucket({ bucket });
        await it.rig.record(HOME);
        await it.pass(DIGEST_MS);
        let from = BUCKET;
        for (const [index, to] of buckets.entries()) {
          it.rig.refused = { bucket: from, key: refused };
          if (kind === 'log files' || index > 0) await it.rig.record(HOME);
          await it.pass(kind === 'digest' ? DIGEST_MS : 2 * FLUSH_MS);
          await it.send('UpdateTrail', { S3BucketName: to });
          // A bucket on the way refuses, too, or takes one delivery when the trail comes back later.
          if (index + 1 < buckets.length) it.rig.refused = { bucket: to, key: refused };
          else it.rig.refused = undefined;
          await it.pass(DIGEST_MS);
          from = to;
        }
        await it.rig.record(HOME);
        await it.pass(3 * DIGEST_MS);
      },
    });
  }

  const levels = (report: VerifyReport) => new Set(deciding(report).map(({ level, code }) => `${level} ${code}`));

  for (const kind of ['log files', 'digest'] as const)
    for (const [what, refused] of [
      ['after the receipt', RECEIPT_CAME],
      ['before the receipt', NOTHING_CAME],
    ] as const) {
      test(`${kind}, ${what}: copies of both are complete, and each alone tells what else there is`, async () => {
        const it = await moveAway(refused, kind, [SECOND]);
        const [first, second] = [await readBucket(it), await readBucket(it, SECOND)];
        const report = await verifyCopies(it, [first, second]);
        expect(deciding(report)).toEqual([]);
        expect(report.exitCode).toBe(0);
        expect(report.findings.map(({ level, code }) => `${level} ${code}`)).toContain('note withdrawn');
        const alone = await verifyUnderFirstKey(it, second.source(), (operation, input) => answerOf(it, operation, input));
        expect([levels(alone), alone.exitCode]).toEqual([new Set(['incomplete elsewhere']), 2]);
        for (const named of [first, second]) {
          const whole = await verifyPlaces(it, [first, second], named, (operation, input) => answerOf(it, operation, input));
          expect(deciding(whole)).toEqual([]);
        }
      });

      test(`${kind}, ${what}: a receipt that cannot be read, also the one that withdraws, makes nothing tampered`, async () => {
        for (const buckets of [[SECOND], [SECOND, THIRD], [SECOND, BUCKET]]) {
          const it = await moveAway(refused, kind, buckets);
          const all = await Promise.all([BUCKET, SECOND, THIRD].map((name) => readBucket(it, name)));
          await withCopies(all, (source, keys) =>
            expectUndecided(
              it,
              source,
              keys.filter((key) => key.includes('/receipts/')),
            ),
          );
          for (const bucket of all.filter((each) => each.keys('/receipts/').length > 0))
            await expectUndecided(it, bucket.source(), bucket.keys('/receipts/'));
        }
      });

      test(`${kind}, ${what}, to a bucket that fails as well, and on: copies of all are complete`, async () => {
        const it = await moveAway(refused, kind, [SECOND, THIRD]);
        const all = await Promise.all([BUCKET, SECOND, THIRD].map((name) => readBucket(it, name)));
        expect(deciding(await verifyCopies(it, all))).toEqual([]);
        expect(deciding(await verifyPlaces(it, all, all[2]!))).toEqual([]);
        expect(deciding(await verifyPlaces(it, all, all[0]!, (operation, input) => answerOf(it, operation, input)))).toEqual([]);
      });

      test(`${kind}, ${what}, and back at once: the first bucket alone is complete but for what lies in the second`, async () => {
        const it = await moveAway(refused, kind, [SECOND, BUCKET]);
        const [first, second] = [await readBucket(it), await readBucket(it, SECOND)];
        const alone = await verifyUnderFirstKey(it, first.source());
        expect([...levels(alone)].filter((level) => level !== 'incomplete elsewhere')).toEqual([]);
        const report = await verifyCopies(it, [first, second]);
        expect(deciding(report)).toEqual([]);
      });
    }

  test('whatever call fails or ends the process while it is moved, copies of both are complete', { timeout: 300_000 }, async () => {
    /** Moves away with a fault at the N-th call after the move. @returns whether there were so many. */
    async function moveWith(store: PlannedFault['store'], method: string, nth: number, kind: FaultKind): Promise<boolean> {
      const it = await tell({ what: '', digestsMin: 0, happens: async ({ rig }) => rig.createBucket({ bucket: SECOND }) });
      const { rig } = it;
      await rig.record(HOME);
      await it.pass(DIGEST_MS);
      rig.refused = { bucket: BUCKET, key: RECEIPT_CAME };
      const lost = await rig.record(HOME);
      await it.pass(2 * FLUSH_MS);
      rig.isQuiet = true;
      await it.send('UpdateTrail', { S3BucketName: SECOND });
      rig.isQuiet = false;
      const from = rig.calls.get(`${store}.${method}`) ?? 0;
      rig.fault = { store, method, nth: from + nth, kind, isCrash: true };
      for (let passed = 0; passed < 3 * DIGEST_MS; passed += FLUSH_MS) {
        await it.pass(FLUSH_MS);
        if (rig.isDead()) await it.open();
      }
      const hasHit = rig.hasHit();
      rig.fault = undefined;
      rig.refused = undefined;
      await rig.record(HOME);
      await it.pass(2 * DIGEST_MS);
      const [first, second] = [await readBucket(it), await readBucket(it, SECOND)];
      const report = await verifyCopies(it, [first, second]);
      expect([`${store}.${method} ${nth} ${kind}`, deciding(report)]).toEqual([`${store}.${method} ${nth} ${kind}`, []]);
      expect(report.findings.map(({ code }) => code)).toContain('withdrawn');
      const records = second.keys('/CloudTrail/').map((key) => gunzipSync(second.objects.get(key)!.body).toString());
      expect(records.join()).toContain(lost);
      return hasHit;
    }

    const CALLS = IS_SWEEP ? 12 : 4;
    let hits = 0;
    for (const [store, method] of [
      ['catalog', 'commit'],
      ['journal', 'append'],
      ['objects', 'put'],
    ] as const)
      for (const kind of ['refused', 'taken'] as const)
        for (let nth = 1; nth <= CALLS; nth++) if (await moveWith(store, method, nth, kind)) hits++;
    expect(hits).toBeGreaterThanOrEqual(24);
  });

  test('what is withdrawn and there must be what it was announced as; what is not withdrawn must be there', async () => {
    const it = await moveAway(/nothing/, 'log files', [SECOND]);
    // The first bucket takes all that is put, and its receipt is given up all the same.
    it.rig.refused = { bucket: SECOND, key: /\/us-west-2\// };
    for (const region of [HOME, WEST]) await it.rig.record(region);
    await it.pass(2 * FLUSH_MS);
    await it.send('UpdateTrail', { S3BucketName: THIRD });
    await it.pass(DIGEST_MS);
    it.rig.refused = undefined;
    await it.pass(3 * DIGEST_MS);
    const all = await Promise.all([BUCKET, SECOND, THIRD].map((name) => readBucket(it, name)));
    const whole = await verifyCopies(it, all);
    expect(deciding(whole)).toEqual([]);
    const second = all[1]!;
    const withdrawn = second.keys('/CloudTrail/').at(-1)!;
    const kept = second.keys('/receipts/');

    const change = async (make: (bucket: MemoryBucket) => void) => {
      const changed = second.copy();
      make(changed);
      return deciding(await verifyCopies(it, [all[0]!, changed, all[2]!])).map(({ level, code }) => `${level} ${code}`);
    };
    expect(await change((bucket) => bucket.objects.delete(withdrawn))).toEqual([]);
    expect(await change((bucket) => bucket.put(withdrawn, new TextEncoder().encode('forged')))).toEqual(['tampered bytes']);
    // The receipt that was given up, without it what it names; and the one before it, which counts.
    expect(await change((bucket) => bucket.objects.delete(kept.at(-1)!))).toEqual(['tampered unlisted']);
    expect(await change((bucket) => bucket.objects.delete(kept.at(-2)!))).toContain('tampered receipt-missing');
    // Nobody speaks of the withdrawal once the receipt that does is gone.
    const third = all[2]!.copy();
    third.objects.delete(third.keys('/receipts/')[0]!);
    expect((await verifyCopies(it, [all[0]!, second, third])).exitCode).toBe(1);
  });
});

describe('a trail that was deleted while its bucket refused it, and made anew', () => {
  test('is complete: what was on its way is withdrawn', async () => {
    const it = await tell({
      what: '',
      digestsMin: 0,
      happens: async ({ rig }) => void (await rig.record(HOME)),
    });
    await it.pass(DIGEST_MS);
    await it.rig.record(HOME);
    it.rig.refused = { bucket: BUCKET, key: /\/CloudTrail\// };
    await it.pass(2 * FLUSH_MS);
    await it.send('DeleteTrail');
    await it.pass(2 * DIGEST_MS);
    it.rig.refused = undefined;
    await it.send('CreateTrail', { S3BucketName: BUCKET, EnableLogFileValidation: true });
    await it.send('StartLogging');
    await it.rig.record(HOME);
    await it.pass(3 * DIGEST_MS);
    const report = await verifyUnderFirstKey(it, (await readBucket(it)).source());
    expect(deciding(report)).toEqual([]);
    expect(report.findings.map(({ code }) => code)).toContain('withdrawn');
  });
});

describe('trust goes on from a pinned checkpoint key', () => {
  const outage = stories.find(({ what }) => what.includes('three times while the bucket was away'))!;
  const untrusted = ['untrusted-key', 'checkpoint-signature'];
  const codes = (report: VerifyReport) => deciding(report).map(({ code }) => code);

  test('over the statements in key files, in a bucket alone', async () => {
    const it = await tell(outage);
    const report = await verifyUnderFirstKey(it, (await readBucket(it)).source());
    expect(deciding(report)).toEqual([]);
    expect(report.trust).toMatchObject({ by: 'pinned', checkpointKeys: expect.objectContaining({ length: 4 }) });
  });

  test('over the statements that the server passes on, before any receipt states the new key', async () => {
    const it = await tell(stories[0]!);
    const bucket = await readBucket(it);
    for (let count = 0; count < 3; count++) await it.rig.rotateKey('checkpoint');
    await it.tree.checkpointNow();
    const report = await verifyUnderFirstKey(it, bucket.source(), (operation, input) => answerOf(it, operation, input));
    expect(deciding(report)).toEqual([]);
  });

  test('and over no statement that is missing, or that the key before it did not sign', async () => {
    const it = await tell(outage);
    const keys = await it.rig.keys.list('checkpoint');
    const file = `checkpoint-${keys[2]!.fingerprint}.json`;
    const change = async (statements: (notes: string[]) => unknown): Promise<VerifyReport> => {
      const bucket = await readBucket(it);
      for (const key of bucket.keys('/keys/checkpoint-')) {
        const content = JSON.parse(Buffer.from(bucket.objects.get(key)!.body).toString());
        if (content.statements !== undefined)
          bucket.put(key, Buffer.from(JSON.stringify({ ...content, statements: statements(content.statements) })));
      }
      expect(bucket.keys(file)).toHaveLength(1);
      return verifyUnderFirstKey(it, bucket.source());
    };
    expect(codes(await change((notes) => notes))).toEqual([]);
    expect(codes(await change((notes) => notes.slice(1)))).toEqual(untrusted);
    const signedBySuccessorAlone = (note: string) => `${note.trimEnd().split('\n').slice(0, -1).join('\n')}\n`;
    expect(codes(await change(([first, ...more]) => [signedBySuccessorAlone(first!), ...more]))).toEqual(untrusted);
    const swapped = ([first, second, ...more]: string[]) => {
      const [, signatures] = first!.split('\n\n');
      return [`${second!.split('\n\n')[0]}\n\n${signatures}`, second, ...more];
    };
    expect(codes(await change(swapped))).toContain('untrusted-key');
  });
});

/** Findings that decide the verdict. */
function deciding({ findings }: VerifyReport): VerifyReport['findings'] {
  return findings.filter(({ level }) => level === 'tampered' || level === 'incomplete');
}

/** What the loopback endpoint needs to know of a trail. */
async function asBuilder({ rig }: Installation): Promise<Parameters<typeof validateLogs>[0]> {
  const id = { account: TRAIL_ACCOUNT, homeRegion: HOME, name: 'main' };
  return {
    name: id.name,
    trailARN: trailArn(id),
    homeRegion: HOME,
    bucket: { name: BUCKET },
    prefix: undefined,
    nowMs: rig.clock.nowMs(),
    installation: { digestKeys: await rig.keys.list('digest') },
  };
}
