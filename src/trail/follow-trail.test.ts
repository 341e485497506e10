import { createPublicKey, verify } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { checkTrail } from '../../test/support/check-trail.ts';
import { BUCKET, bucketPolicy, DIGEST_MS, FLUSH_MS, HOME, STRANGER, TRAIL_ACCOUNT, TrailRig } from '../../test/support/trail-rig.ts';
import type { BucketName, Region } from '../event/types.ts';
import { createSeededChance } from '../store/memory/clock.ts';
import { ObjectsError } from '../store/objects.ts';
import { parseNote, type VerifyEd25519, verifyNote } from '../tlog/note.ts';
import { parseReceipt } from '../tlog/receipt.ts';
import type { Trails } from './create-trails.ts';
import type { TrailDeps } from './trail-deps.ts';

const WEST = 'us-west-2' as Region;
const EAST = 'us-east-1' as Region;
const OTHER_BUCKET = 'other-evidence-bucket' as BucketName;

/** A trail that is logging, with validation, in all Regions unless `input` says otherwise. */
async function logging(input: object = {}, options: Partial<TrailDeps> = {}): Promise<{ rig: TrailRig; trails: Trails }> {
  const rig = new TrailRig(options);
  await rig.createBucket();
  const trails = await rig.open();
  const settings = { EnableLogFileValidation: true, IsMultiRegionTrail: true, ...input };
  await rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET, ...settings });
  await rig.send(trails, 'StartLogging', { Name: 'main' });
  await rig.settle(trails);
  return { rig, trails };
}

/** Accounting as `doctor` checks it: what the follower has passed is what it counted. */
async function unexplained(rig: TrailRig, trails: Trails): Promise<number> {
  const [follower] = trails.followers();
  if (follower === undefined) throw new Error('the trail has a follower');
  const entries = await rig.journal.read(0n, 10_000);
  const passed = entries.filter(({ kind, sequence }) => kind === 'event' && sequence > follower.start() && sequence <= follower.cursor());
  return passed.length - follower.counts().reduce((sum, { delivered, filtered }) => sum + delivered + filtered, 0);
}

const status = (rig: TrailRig, trails: Trails) => rig.send(trails, 'GetTrailStatus', { Name: 'main' });
const verifyEd25519: VerifyEd25519 = (publicKey, message, signature) =>
  verify(
    null,
    message,
    createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey).toString('base64url') }, format: 'jwk' }),
    signature,
  );
const ids = (list: readonly string[]) => [...list].sort();

describe('log files', () => {
  test('hold each event of the account once, byte for byte, in a folder for each Region', async () => {
    const { rig, trails } = await logging();
    const recorded = [
      await rig.record(HOME),
      await rig.record(WEST, { members: { requestParameters: { a: 1e3, b: 'ü' } } }),
      await rig.record(HOME),
    ];
    await rig.pass(trails, DIGEST_MS);
    const found = await checkTrail(rig, BUCKET);
    expect(found.faults).toEqual([]);
    expect(ids(found.events)).toEqual(ids(recorded));
    const entries = (await rig.journal.read(0n, 1000)).filter(({ id }) => recorded.includes(id));
    expect(ids(found.records)).toEqual(ids(entries.map(({ bytes }) => Buffer.from(bytes).toString())));
    expect(found.logFiles.map((key) => key.split('/').slice(0, 7).join('/'))).toEqual([
      `AWSLogs/${TRAIL_ACCOUNT}/CloudTrail/${HOME}/2026/01/02`,
      `AWSLogs/${TRAIL_ACCOUNT}/CloudTrail/${WEST}/2026/01/02`,
    ]);
    expect(await unexplained(rig, trails)).toBe(0);
    expect(await status(rig, trails)).toMatchObject({
      IsLogging: true,
      LatestDeliveryTime: expect.any(Date),
      LatestDigestDeliveryTime: expect.any(Date),
    });
  });

  test('begin after StartLogging and end with StopLogging, whenever they are written', async () => {
    const rig = new TrailRig();
    await rig.createBucket();
    const trails = await rig.open();
    await rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET, EnableLogFileValidation: true });
    await rig.record(HOME);
    await rig.send(trails, 'StartLogging', { Name: 'main' });
    const inside = await rig.record(HOME);
    await rig.send(trails, 'StopLogging', { Name: 'main' });
    await rig.record(HOME);
    await rig.pass(trails, DIGEST_MS);
    const found = await checkTrail(rig, BUCKET);
    expect(found.faults).toEqual([]);
    const stop = found.records.map((record) => JSON.parse(record)).find(({ eventName }) => eventName === 'StopLogging');
    expect(ids(found.events)).toEqual(ids([inside, stop.eventID]));
    expect(await unexplained(rig, trails)).toBe(0);
  });

  test('leave out imports, repeated ids, data events, other accounts and other Regions of a single-Region trail', async () => {
    const { rig, trails } = await logging({ IsMultiRegionTrail: false });
    const wanted = await rig.record(HOME);
    await rig.record(HOME, { source: 'import' });
    await rig.record(HOME, { eventId: wanted, members: { requestParameters: { other: true } } });
    await rig.record(HOME, { members: { eventCategory: 'Data', managementEvent: false } });
    await rig.record(HOME, { account: STRANGER });
    await rig.record(WEST);
    await rig.pass(trails, FLUSH_MS);
    const found = await checkTrail(rig, BUCKET, { mayHaveUnlisted: true });
    expect([found.faults, found.events]).toEqual([[], [wanted]]);
    expect(await unexplained(rig, trails)).toBe(0);
    const [follower] = trails.followers();
    const sum = { delivered: 0, filtered: 0 };
    for (const { delivered, filtered } of follower!.counts()) {
      sum.delivered += delivered;
      sum.filtered += filtered;
    }
    // Of the six, and StartLogging, which lies between the trail's creation and its start.
    expect(sum).toEqual({ delivered: 1, filtered: 6 });
  });

  test('a single-Region trail in us-east-1 takes global service events only when it includes them', async () => {
    for (const includes of [true, false]) {
      const rig = new TrailRig();
      await rig.createBucket();
      const trails = await rig.open();
      const call = () => rig.call(TRAIL_ACCOUNT, EAST);
      await rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET, IncludeGlobalServiceEvents: includes }, call());
      await rig.send(trails, 'StartLogging', { Name: 'main' }, call());
      const global = await rig.record(EAST, { members: { eventSource: 'iam.amazonaws.com' } });
      const regional = await rig.record(EAST);
      await rig.pass(trails, FLUSH_MS);
      const found = await checkTrail(rig, BUCKET, { mayHaveUnlisted: true });
      expect(found.events).toEqual(includes ? [global, regional] : [regional]);
    }
  });

  test('are split so that none is larger than the limit, and none has more files than a receipt holds', async () => {
    const { rig, trails } = await logging({}, { settings: { batchBytesMax: 1_500, batchFilesMax: 2 } });
    const recorded: string[] = [];
    for (let index = 0; index < 12; index++) recorded.push(await rig.record([HOME, WEST, EAST][index % 3]!));
    await rig.pass(trails, DIGEST_MS);
    const found = await checkTrail(rig, BUCKET);
    expect([found.faults, ids(found.events)]).toEqual([[], ids(recorded)]);
    const deliveries = found.receipts.filter(({ kind }) => kind === 'delivery');
    expect(deliveries.length).toBeGreaterThan(5);
    expect(Math.max(...deliveries.map(({ objects }) => objects.length))).toBe(2);
  });

  test('an idle trail writes nothing, although receipts of other trails are entries of the journal', async () => {
    const { rig, trails } = await logging({ EnableLogFileValidation: false });
    await rig.send(trails, 'CreateTrail', { Name: 'second', S3BucketName: BUCKET });
    await rig.send(trails, 'StartLogging', { Name: 'second' });
    await rig.pass(trails, DIGEST_MS);
    const before = [rig.journal.head(), rig.calls.get('objects.put'), rig.calls.get('catalog.commit')];
    await rig.pass(trails, 20 * FLUSH_MS);
    expect([rig.journal.head(), rig.calls.get('objects.put'), rig.calls.get('catalog.commit')]).toEqual(before);
  });
});

describe('receipts', () => {
  test('are dense, signed, chained, and say when logging began and ended, and which keys sign', async () => {
    const { rig, trails } = await logging();
    await rig.record(HOME);
    await rig.pass(trails, DIGEST_MS);
    await rig.send(trails, 'StopLogging', { Name: 'main' });
    await rig.settle(trails);
    const found = await checkTrail(rig, BUCKET);
    expect(found.faults).toEqual([]);
    expect(found.receipts.map(({ kind }) => kind)).toEqual(['start', 'key', 'key', 'delivery', 'digest', 'delivery', 'digest', 'stop']);
    expect(found.receipts[0].reason).toEqual({ event: 'StartLogging', principal: `arn:aws:iam::${TRAIL_ACCOUNT}:root` });
    const [key] = await rig.keys.list('checkpoint');
    const facts = (await rig.journal.read(0n, 1000)).filter(({ id }) => id.startsWith('receipt/'));
    expect(facts.map(({ factKind }) => factKind)).toEqual(['gap', 'key', 'key', 'delivery', 'digest', 'delivery', 'digest', 'gap']);
    for (const { bytes } of facts) {
      const note = parseNote(bytes);
      if (note.kind === 'malformed') throw new Error(note.reason);
      expect(parseReceipt(note.value.text).kind).toBe('ok');
      const noteKey = { name: 'snowtrail/rig', keyHash: key!.fingerprint, publicKey: key!.publicKey };
      expect(verifyNote(note.value, [noteKey], verifyEd25519)).toEqual({ kind: 'signed', by: [noteKey] });
    }
    const evidence = await rig.send(trails, 'GetTrailEvidence');
    expect(evidence.Trails).toEqual([
      expect.objectContaining({ LastReceiptNumber: 8, DeliveredReceiptNumber: 8, IsLogging: false, DigestIntervalSeconds: 60 }),
    ]);
  });

  test('carry the newest checkpoint and the proof from the one before', async () => {
    const asked: [bigint, bigint][] = [];
    const rig: TrailRig = new TrailRig({
      evidence: {
        latestCheckpoint: () => ({ note: `a note of size ${rig.journal.head()}`, size: rig.journal.head() }),
        consistency: async (from, to) => {
          asked.push([from, to]);
          return from === to ? [] : [new Uint8Array(32).fill(Number(to))];
        },
      },
    });
    await rig.createBucket();
    const trails = await rig.open();
    await rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET });
    await rig.send(trails, 'StartLogging', { Name: 'main' });
    await rig.settle(trails);
    await rig.record(HOME);
    await rig.pass(trails, FLUSH_MS);
    const { receipts, faults } = await checkTrail(rig, BUCKET, { mayHaveUnlisted: true });
    expect(faults).toEqual([]);
    expect(receipts.map(({ checkpoint }) => checkpoint)).toEqual(['a note of size 4', 'a note of size 5', 'a note of size 7']);
    expect(asked).toEqual([
      [4n, 5n],
      [5n, 7n],
    ]);
    expect(receipts.map(({ consistency }) => consistency.length)).toEqual([0, 1, 1]);
  });

  test('a rotated key is stated by a receipt before it signs, and its public half lies beside', async () => {
    const { rig, trails } = await logging();
    await rig.rotateKey('checkpoint');
    await rig.rotateKey('digest');
    await rig.record(HOME);
    await rig.pass(trails, DIGEST_MS);
    const found = await checkTrail(rig, BUCKET);
    expect(found.faults).toEqual([]);
    const [first, second] = await rig.keys.list('checkpoint');
    const keyReceipts = found.receipts
      .filter(({ kind }) => kind === 'key')
      .map(({ key }) => [key.use, key.fingerprint, key.previousFingerprint]);
    const digestKeys = (await rig.keys.list('digest')).map(({ fingerprint }) => fingerprint);
    expect(keyReceipts).toEqual([
      ['checkpoint', first!.fingerprint, null],
      ['digest', digestKeys[0], null],
      ['checkpoint', second!.fingerprint, first!.fingerprint],
      ['digest', digestKeys[1], digestKeys[0]],
    ]);
    const facts = (await rig.journal.read(0n, 1000)).filter(({ factKind, id }) => factKind === 'key' && id.startsWith('receipt/'));
    const signers = facts.map(({ bytes }) => {
      const note = parseNote(bytes);
      return note.kind !== 'malformed' ? note.value.signatures.map(({ keyHash }) => keyHash) : [];
    });
    const [one, two] = [first!.fingerprint, second!.fingerprint];
    expect(signers).toEqual([[one], [one], [one, two], [two]]);
    const files = [...found.objects.keys()].filter((key) => key.includes('/keys/')).map((key) => key.split('/').at(-1));
    expect(ids(files as string[])).toEqual(
      ids([`checkpoint-${one}.json`, `checkpoint-${two}.json`, ...digestKeys.map((each) => `digest-${each}.json`)]),
    );
  });
});

describe('keys that are rotated while a trail cannot deliver', () => {
  const keyReceipts = async (rig: TrailRig) => {
    const facts = (await rig.journal.read(0n, 1000)).filter(({ factKind, id }) => factKind === 'key' && id.startsWith('receipt/'));
    return facts.map(({ bytes }) => {
      const note = parseNote(bytes);
      if (note.kind === 'malformed') throw new Error(note.reason);
      const { key } = JSON.parse(note.value.text);
      return { stated: key.fingerprint, signers: note.value.signatures.map(({ keyHash }) => keyHash), use: key.use };
    });
  };
  const rotateThrice = async (rig: TrailRig) => {
    for (let count = 0; count < 3; count++) await rig.rotateKey('checkpoint');
    return (await rig.keys.list('checkpoint')).map(({ fingerprint }) => fingerprint);
  };

  test('a key that was replaced twice is passed over: each receipt that states a key is signed by that key', async () => {
    const { rig, trails } = await logging();
    rig.outage = 'SlowDown';
    const [, , third, fourth] = await rotateThrice(rig);
    await rig.record(HOME);
    await rig.pass(trails, DIGEST_MS);
    rig.outage = undefined;
    await rig.pass(trails, 2 * DIGEST_MS);
    expect((await checkTrail(rig, BUCKET)).faults).toEqual([]);
    expect((await keyReceipts(rig)).filter(({ use }) => use === 'checkpoint').slice(1)).toEqual([
      { use: 'checkpoint', stated: third, signers: [third] },
      { use: 'checkpoint', stated: fourth, signers: [third, fourth] },
    ]);
  });

  test('a pending step goes to the new bucket of the trail, though the key that announced it is gone', async () => {
    const { rig, trails } = await logging();
    rig.outage = 'NoSuchBucket';
    await rig.record(HOME);
    await rig.pass(trails, FLUSH_MS);
    await rotateThrice(rig);
    rig.outage = undefined;
    await rig.objects.updateBucket(BUCKET, { policy: null });
    await rig.createBucket({ bucket: OTHER_BUCKET });
    await rig.send(trails, 'UpdateTrail', { Name: 'main', S3BucketName: OTHER_BUCKET });
    await rig.pass(trails, 2 * DIGEST_MS);
    expect(trails.health(trails.followers()[0]!.name)).toEqual({ state: 'ok', failures: 0 });
    expect((await checkTrail(rig, OTHER_BUCKET, { isContinued: true })).events.length).toBeGreaterThan(0);
  });
});

describe('digests', () => {
  test('one for each interval and Region, empty ones too, from the first event of a Region on', async () => {
    const { rig, trails } = await logging();
    await rig.pass(trails, DIGEST_MS);
    await rig.record(WEST);
    await rig.pass(trails, 2 * DIGEST_MS);
    const { digests, faults } = await checkTrail(rig, BUCKET);
    expect(faults).toEqual([]);
    expect(
      digests.map(({ region, start, end, isStarting, logFiles }) => [region, start.slice(11), end.slice(11), isStarting, logFiles.length]),
    ).toEqual([
      [HOME, '03:04:05Z', '03:05:00Z', true, 0],
      [HOME, '03:05:00Z', '03:06:00Z', false, 0],
      [HOME, '03:06:00Z', '03:07:00Z', false, 0],
      [WEST, '03:05:05Z', '03:06:00Z', true, 1],
      [WEST, '03:06:00Z', '03:07:00Z', false, 0],
    ]);
  });

  test('Regions that the account has used before begin with StartLogging', async () => {
    const rig = new TrailRig();
    await rig.createBucket();
    await rig.record(WEST);
    const trails = await rig.open();
    await rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET, EnableLogFileValidation: true, IsMultiRegionTrail: true });
    await rig.send(trails, 'StartLogging', { Name: 'main' });
    await rig.settle(trails);
    await rig.pass(trails, DIGEST_MS);
    expect((await checkTrail(rig, BUCKET)).digests.map(({ region }) => region)).toEqual([HOME, WEST]);
  });

  test('a Region begins with the first event of the account in it, though nothing is delivered there', async () => {
    const { rig, trails } = await logging();
    await rig.pass(trails, DIGEST_MS + 3_000);
    await rig.record(WEST, { source: 'import' });
    await rig.record(EAST, { account: STRANGER });
    await rig.pass(trails, 2 * DIGEST_MS);
    const { digests, faults, logFiles } = await checkTrail(rig, BUCKET);
    expect([faults, logFiles]).toEqual([[], []]);
    expect(digests.filter(({ region }) => region !== HOME).map(({ region, start, isStarting }) => [region, start, isStarting])).toEqual([
      [WEST, '2026-01-02T03:05:08Z', true],
      [WEST, '2026-01-02T03:06:00Z', false],
    ]);
  });

  test('no Region begins for a trail of one Region, without validation, or while it is off', async () => {
    for (const input of [{ IsMultiRegionTrail: false }, { EnableLogFileValidation: false }]) {
      const { rig, trails } = await logging(input);
      await rig.record(WEST, { source: 'import' });
      await rig.pass(trails, 2 * DIGEST_MS);
      expect((await checkTrail(rig, BUCKET)).digests.filter(({ region }) => region !== HOME)).toEqual([]);
    }
    const { rig, trails } = await logging();
    await rig.send(trails, 'StopLogging', { Name: 'main' });
    await rig.settle(trails);
    await rig.record(WEST, { source: 'import' });
    await rig.pass(trails, 2 * DIGEST_MS);
    expect((await checkTrail(rig, BUCKET)).digests.filter(({ region }) => region !== HOME)).toEqual([]);
  });

  test('StopLogging writes a last digest, StartLogging a starting one; none for the time between', async () => {
    const { rig, trails } = await logging();
    await rig.pass(trails, DIGEST_MS);
    await rig.send(trails, 'StopLogging', { Name: 'main' });
    await rig.settle(trails);
    await rig.pass(trails, 3 * DIGEST_MS);
    await rig.send(trails, 'StartLogging', { Name: 'main' });
    await rig.pass(trails, DIGEST_MS);
    const { digests, faults, receipts } = await checkTrail(rig, BUCKET);
    expect(faults).toEqual([]);
    expect(digests.map(({ start, end, isStarting, logFiles }) => [start.slice(11), end.slice(11), isStarting, logFiles.length])).toEqual([
      ['03:04:05Z', '03:05:00Z', true, 0],
      ['03:05:00Z', '03:05:06Z', false, 1],
      ['03:08:05Z', '03:09:00Z', true, 0],
    ]);
    expect(receipts.filter(({ kind }) => kind === 'start' || kind === 'stop').map(({ kind }) => kind)).toEqual(['start', 'stop', 'start']);
  });

  test('stop and start within one second still give strictly growing ends', async () => {
    const { rig, trails } = await logging();
    for (let round = 0; round < 3; round++) {
      await rig.send(trails, 'StopLogging', { Name: 'main' });
      await rig.send(trails, 'StartLogging', { Name: 'main' });
      await rig.settle(trails);
    }
    await rig.pass(trails, 2 * DIGEST_MS);
    const { digests, faults } = await checkTrail(rig, BUCKET);
    expect(faults).toEqual([]);
    expect(digests.map(({ end }) => end.slice(11))).toEqual(['03:04:06Z', '03:04:07Z', '03:04:08Z', '03:05:00Z', '03:06:00Z']);
  });

  test('validation off ends the chain with a gap fact, on begins a new one; log files go on', async () => {
    const { rig, trails } = await logging();
    await rig.record(HOME);
    await rig.send(trails, 'UpdateTrail', { Name: 'main', EnableLogFileValidation: false });
    await rig.pass(trails, DIGEST_MS);
    const unlisted = await rig.record(HOME);
    await rig.pass(trails, DIGEST_MS);
    await rig.send(trails, 'UpdateTrail', { Name: 'main', EnableLogFileValidation: true });
    await rig.pass(trails, DIGEST_MS);
    const { digests, faults, events, receipts } = await checkTrail(rig, BUCKET, { mayHaveUnlisted: true });
    expect(faults).toEqual([]);
    expect(events).toContain(unlisted);
    const begins = receipts.filter(({ kind }) => kind === 'start').map(({ reason }) => reason.event);
    expect(begins).toEqual(['StartLogging', 'UpdateTrail', 'UpdateTrail']);
    expect(digests.map(({ end, isStarting }) => [end.slice(11), isStarting])).toEqual([
      ['03:04:11Z', true],
      ['03:07:00Z', true],
    ]);
    const gaps = (await rig.journal.read(0n, 1000)).filter(({ id }) => id.startsWith('gap/'));
    expect(gaps.map(({ bytes }) => JSON.parse(Buffer.from(bytes).toString()))).toEqual([
      expect.objectContaining({ reason: 'validation off', event: 'UpdateTrail', principal: `arn:aws:iam::${TRAIL_ACCOUNT}:root` }),
    ]);
  });

  test('from all Regions to one: the chains of the others end', async () => {
    const { rig, trails } = await logging();
    await rig.record(WEST);
    await rig.pass(trails, FLUSH_MS);
    await rig.send(trails, 'UpdateTrail', { Name: 'main', IsMultiRegionTrail: false });
    await rig.record(WEST);
    await rig.pass(trails, 3 * DIGEST_MS);
    const { digests, faults, logFiles } = await checkTrail(rig, BUCKET);
    expect(faults).toEqual([]);
    expect(digests.filter(({ region }) => region === WEST).length).toBe(1);
    expect(digests.filter(({ region }) => region === HOME).length).toBe(3);
    expect(logFiles.filter((key) => key.includes(WEST)).length).toBe(1);
  });

  test('moving to another bucket keeps the chain', async () => {
    const { rig, trails } = await logging();
    const second = 'second-bucket' as BucketName;
    await rig.createBucket({ bucket: second });
    await rig.pass(trails, DIGEST_MS);
    await rig.send(trails, 'UpdateTrail', { Name: 'main', S3BucketName: second });
    await rig.pass(trails, DIGEST_MS);
    const before = await checkTrail(rig, BUCKET);
    const objects = await rig.objects.list(second, { prefix: `AWSLogs/${TRAIL_ACCOUNT}/CloudTrail-Digest/`, limit: 10 });
    expect(before.digests.length).toBe(1);
    expect(objects.objects.length).toBe(1);
    const { body } = (await rig.objects.get(second, objects.objects[0]!.key))!;
    const pieces: Uint8Array[] = [];
    for await (const piece of body) pieces.push(piece);
    const digest = JSON.parse(gunzipSync(Buffer.concat(pieces)).toString());
    expect([digest.previousDigestS3Bucket, digest.previousDigestS3Object]).toEqual([BUCKET, before.digests[0]!.key]);
    const keyFiles = await rig.objects.list(second, {
      prefix: `AWSLogs/${TRAIL_ACCOUNT}/CloudTrail-Evidence/${HOME}/main/keys/`,
      limit: 10,
    });
    expect(keyFiles.objects.length).toBe(2);
  });
});

describe('a look for lost objects', () => {
  test('puts nothing again under the prefix that the trail was moved to, of what lies under the one before', async () => {
    const { rig, trails } = await logging();
    await rig.record(HOME);
    await rig.pass(trails, DIGEST_MS);
    const policy = JSON.stringify(bucketPolicy(BUCKET, TRAIL_ACCOUNT)).replace(`/AWSLogs/${TRAIL_ACCOUNT}/*`, '/*');
    await rig.objects.updateBucket(BUCKET, { policy });
    await rig.send(trails, 'UpdateTrail', { Name: 'main', S3KeyPrefix: 'deep' });
    await rig.record(HOME);
    await rig.pass(trails, DIGEST_MS);
    const keys = async () => (await rig.objects.list(BUCKET, { limit: 1_000 })).objects.map(({ key }) => key);
    const before = await keys();
    expect(before.filter((key) => key.startsWith('deep/') && key.includes('/receipts/')).length).toBeGreaterThan(0);
    const told: unknown[] = [];
    await trails.scrub(new AbortController().signal, (lost) => told.push(lost));
    expect([told, await keys()]).toEqual([[], before]);
  });
});

describe('time', () => {
  test('down over several intervals: a backfill digest for each that closed twice, the last one standard, the chain over the hole', async () => {
    const { rig, trails } = await logging();
    await rig.record(HOME);
    await rig.pass(trails, DIGEST_MS);
    await rig.clock.advance(4 * DIGEST_MS);
    const restarted = await rig.open();
    await rig.record(HOME);
    await rig.pass(restarted, DIGEST_MS);
    const { digests, faults } = await checkTrail(rig, BUCKET);
    expect(faults).toEqual([]);
    expect(digests.map(({ end, isBackfill, isStarting }) => [end.slice(11), isBackfill, isStarting])).toEqual([
      ['03:05:00Z', false, true],
      ['03:06:00Z', true, true],
      ['03:07:00Z', true, false],
      ['03:08:00Z', true, false],
      ['03:09:00Z', false, false],
      ['03:10:00Z', false, false],
    ]);
    expect(digests.map(({ start }) => start).slice(1)).toEqual(digests.map(({ end }) => end).slice(0, -1));
  });

  test('hundreds of missed intervals are made up for in pieces, and events are delivered meanwhile', async () => {
    const { rig, trails } = await logging({ IsMultiRegionTrail: false });
    await rig.clock.advance(200 * DIGEST_MS);
    const recorded = await rig.record(HOME);
    await trails.tick();
    const early = await checkTrail(rig, BUCKET, { mayHaveUnlisted: true });
    expect(early.events).toEqual([recorded]);
    expect(early.digests.length).toBeLessThan(100);
    await rig.settle(trails);
    const { digests, faults } = await checkTrail(rig, BUCKET, { mayHaveUnlisted: true });
    expect([faults, digests.length]).toEqual([[], 200]);
  });

  test('the clock three days ahead and back: intervals neither overlap nor repeat, order stays', async () => {
    const { rig, trails } = await logging({}, { digestIntervalMs: 3_600_000 });
    const recorded = [await rig.record(HOME)];
    await rig.pass(trails, DIGEST_MS);
    rig.clock.jump(3 * 86_400_000);
    recorded.push(await rig.record(HOME));
    await rig.pass(trails, DIGEST_MS);
    rig.clock.jump(-3 * 86_400_000);
    recorded.push(await rig.record(HOME));
    await rig.pass(trails, 3 * DIGEST_MS);
    const { faults, events, receipts } = await checkTrail(rig, BUCKET, { mayHaveUnlisted: true });
    expect([faults, ids(events)]).toEqual([[], recorded]);
    expect(receipts.map(({ createdAt }) => createdAt)).toEqual(receipts.map(({ createdAt }) => createdAt).sort());
  });

  test('the clock two hours back within an interval: nothing is signed twice, and it goes on when the time has come', async () => {
    const { rig, trails } = await logging();
    await rig.pass(trails, DIGEST_MS);
    rig.clock.jump(-7_200_000);
    const recorded = await rig.record(HOME);
    await rig.pass(trails, 2 * DIGEST_MS);
    expect((await checkTrail(rig, BUCKET, { mayHaveUnlisted: true })).digests.length).toBe(1);
    await rig.pass(trails, 7_200_000, DIGEST_MS);
    const { digests, faults, events } = await checkTrail(rig, BUCKET);
    expect([faults, events]).toEqual([[], [recorded]]);
    expect(digests.length).toBe(3);
  });

  test('with a clock outside of the key’s validity no digest is signed, and the reason is told', async () => {
    const { rig, trails } = await logging();
    rig.clock.jump(Date.UTC(2100, 0, 1) - rig.clock.nowMs());
    await rig.pass(trails, FLUSH_MS);
    expect((await checkTrail(rig, BUCKET)).digests).toEqual([]);
    expect(trails.health(trails.followers()[0]!.name)).toMatchObject({
      state: 'retrying',
      reason: expect.stringMatching(/the clock says 2100-01-01/),
    });
  });
});

describe('a bucket that is away', () => {
  test('delays, shows its error, and is caught up in order with backfill digests; nothing is lost or doubled', async () => {
    const { rig, trails } = await logging();
    const recorded = [await rig.record(HOME)];
    await rig.pass(trails, FLUSH_MS);
    rig.outage = 'ServiceUnavailable';
    const putsBefore = rig.calls.get('objects.put')! + rig.calls.get('objects.getBucket')!;
    for (let minute = 0; minute < 60; minute++) {
      recorded.push(await rig.record(minute % 2 === 0 ? HOME : WEST));
      await rig.pass(trails, 60_000, 1_000);
    }
    const tries = rig.calls.get('objects.put')! + rig.calls.get('objects.getBucket')! - putsBefore;
    // With back-off up to a minute: an hour has about 120 tries, and never more than one a second.
    expect(tries).toBeLessThan(250);
    expect(rig.troubles.every(({ kind, retryInMs }) => kind === 'retry' && retryInMs! >= 1_000 && retryInMs! <= 60_000)).toBe(true);
    expect(await status(rig, trails)).toMatchObject({ LatestDeliveryError: 'ServiceUnavailable', LatestDeliveryTime: expect.any(Date) });
    rig.outage = undefined;
    await rig.pass(trails, 2 * DIGEST_MS);
    expect(await status(rig, trails)).not.toHaveProperty('LatestDeliveryError');
    const { faults, events, digests } = await checkTrail(rig, BUCKET);
    expect([faults, ids(events)]).toEqual([[], ids(recorded)]);
    expect(digests.filter(({ isBackfill }) => isBackfill).length).toBeGreaterThan(50);
    expect(await unexplained(rig, trails)).toBe(0);
  });

  test('that refuses every second request gets all the same, nothing is put twice, and it is asked at most once a second (F17)', async () => {
    const { rig, trails } = await logging();
    const recorded = [];
    for (const region of [HOME, WEST, EAST]) recorded.push(await rig.record(region));
    const random = createSeededChance('refusals');
    const taken: string[] = [];
    const put = rig.objects.put.bind(rig.objects);
    const getBucket = rig.objects.getBucket.bind(rig.objects);
    const refuseHalf = () => {
      if (random.fraction() < 0.5) throw new ObjectsError('SlowDown', 'reduce your request rate');
    };
    Object.assign(rig.objects, {
      put: async (...call: Parameters<typeof put>) => {
        refuseHalf();
        taken.push(`${call[0]}/${call[1]}`);
        return await put(...call);
      },
      getBucket: async (...call: Parameters<typeof getBucket>) => {
        refuseHalf();
        return await getBucket(...call);
      },
    });
    await rig.pass(trails, 5 * DIGEST_MS, 1_000);
    expect(rig.troubles.length).toBeGreaterThan(10);
    expect(rig.troubles.every(({ retryInMs }) => retryInMs! >= 1_000)).toBe(true);
    const { faults, events, digests } = await checkTrail(rig, BUCKET, { mayHaveUnlisted: true });
    expect([faults, ids(events)]).toEqual([[], ids(recorded)]);
    expect(digests.length).toBeGreaterThan(3);
    expect(new Set(taken).size).toBe(taken.length);
  });

  test('delays no other trail', async () => {
    const { rig, trails } = await logging({ EnableLogFileValidation: false });
    const second = 'second-bucket' as BucketName;
    await rig.createBucket({ bucket: second });
    await rig.send(trails, 'CreateTrail', { Name: 'second', S3BucketName: second });
    await rig.send(trails, 'StartLogging', { Name: 'second' });
    await rig.objects.updateBucket(BUCKET, { policy: null });
    const recorded = await rig.record(HOME);
    await rig.pass(trails, FLUSH_MS);
    expect((await checkTrail(rig, second, { mayHaveUnlisted: true })).events).toEqual([recorded]);
    expect(await status(rig, trails)).toMatchObject({ LatestDeliveryError: 'AccessDenied' });
    await rig.objects.updateBucket(BUCKET, { policy: JSON.stringify(bucketPolicy(BUCKET, TRAIL_ACCOUNT)) });
    await rig.pass(trails, 60_000);
    expect((await checkTrail(rig, BUCKET, { mayHaveUnlisted: true })).events).toContain(recorded);
  });

  test('a put that hangs is given up after its time and tried again; the status does not name it', async () => {
    const { rig } = await logging({}, { settings: { putTimeoutMs: 30_000 } });
    let isHanging = true;
    const put = rig.objects.put.bind(rig.objects);
    let hangs = (): void => undefined;
    const isPutting = new Promise<void>((resolve) => {
      hangs = resolve;
    });
    rig.objects.put = (...args) => {
      if (!isHanging) return put(...args);
      hangs();
      return new Promise(() => undefined);
    };
    const trails = await rig.open();
    const recorded = await rig.record(HOME);
    await rig.clock.advance(FLUSH_MS);
    const tick = rig.settle(trails);
    await isPutting;
    await rig.clock.advance(30_000);
    await tick;
    expect(rig.troubles.at(-1)?.error).toMatchObject({ name: 'DeliveryFailed', reason: undefined });
    expect(await status(rig, trails)).not.toHaveProperty('LatestDeliveryError');
    isHanging = false;
    await rig.pass(trails, DIGEST_MS);
    expect((await checkTrail(rig, BUCKET)).events).toEqual([recorded]);
  });

  test('a store that says that it ran out of time is tried again; the status does not name it either', async () => {
    const { rig } = await logging();
    rig.objects.put = () => Promise.reject(new ObjectsError('RequestTimeout', 'the store did not answer'));
    const trails = await rig.open();
    await rig.record(HOME);
    await rig.clock.advance(FLUSH_MS);
    await rig.settle(trails);
    expect(rig.troubles.at(-1)).toMatchObject({ kind: 'retry', error: { name: 'DeliveryFailed', reason: undefined } });
    expect(await status(rig, trails)).not.toHaveProperty('LatestDeliveryError');
  });

  test('a trail that is moved away from a dead bucket goes on in the new one with what was on its way', async () => {
    const { rig, trails } = await logging();
    await rig.pass(trails, FLUSH_MS);
    const recorded = await rig.record(HOME);
    await rig.objects.updateBucket(BUCKET, { policy: null });
    await rig.pass(trails, FLUSH_MS);
    const second = 'second-bucket' as BucketName;
    await rig.createBucket({ bucket: second });
    await rig.send(trails, 'UpdateTrail', { Name: 'main', S3BucketName: second });
    await rig.pass(trails, 2 * DIGEST_MS);
    expect(await status(rig, trails)).not.toHaveProperty('LatestDeliveryError');
    const before = await checkTrail(rig, BUCKET);
    const after = await checkTrail(rig, second, { isContinued: true });
    expect([before.logFiles, before.faults, after.faults]).toEqual([[], [], []]);
    expect(after.events).toContain(recorded);
    // The receipt for the old bucket is in the journal only; the new bucket's first one announces the same range again.
    const facts = (await rig.journal.read(0n, 1000)).filter(({ factKind }) => factKind === 'delivery');
    const ranges = facts.map(({ bytes }) => JSON.parse(Buffer.from(bytes).toString().split('\n')[0]!));
    expect(ranges.slice(0, 2).map(({ bucket }) => bucket)).toEqual([BUCKET, second]);
    expect(ranges[0].objects).toEqual(ranges[1].objects);
    expect([after.receipts[0].number, after.receipts[0].fromSequence]).toEqual([ranges[1].number, ranges[0].fromSequence]);
    expect(await unexplained(rig, trails)).toBe(0);
  });

  test('a digest that the bucket refuses holds up log files: their status names the error, too, until the digest is put (DL5)', async () => {
    const { rig, trails } = await logging();
    await rig.record(HOME);
    await rig.pass(trails, 50_000);
    await rig.objects.updateBucket(BUCKET, { policy: null });
    await rig.pass(trails, 10_000);
    const { LatestDeliveryTime } = (await status(rig, trails)) as { LatestDeliveryTime: Date };
    await rig.record(HOME);
    await rig.pass(trails, 2 * DIGEST_MS);
    expect(await status(rig, trails)).toMatchObject({
      LatestDigestDeliveryError: 'AccessDenied',
      LatestDeliveryError: 'AccessDenied',
      LatestDeliveryTime,
    });
    await rig.objects.updateBucket(BUCKET, { policy: JSON.stringify(bucketPolicy(BUCKET, TRAIL_ACCOUNT)) });
    await rig.pass(trails, 2 * DIGEST_MS);
    const mended = await status(rig, trails);
    expect(mended).not.toHaveProperty('LatestDeliveryError');
    expect(mended).not.toHaveProperty('LatestDigestDeliveryError');
  });

  test('a digest that was signed for a dead bucket is not signed again: the next one covers its interval as well', async () => {
    const { rig, trails } = await logging();
    const recorded = await rig.record(HOME);
    await rig.pass(trails, 50_000);
    await rig.objects.updateBucket(BUCKET, { policy: null });
    await rig.pass(trails, 10_000);
    expect(await status(rig, trails)).toMatchObject({ LatestDigestDeliveryError: 'AccessDenied' });
    const second = 'second-bucket' as BucketName;
    await rig.createBucket({ bucket: second });
    await rig.send(trails, 'UpdateTrail', { Name: 'main', S3BucketName: second });
    await rig.pass(trails, 3 * DIGEST_MS);
    expect(await status(rig, trails)).not.toHaveProperty('LatestDigestDeliveryError');
    const before = await checkTrail(rig, BUCKET, { mayHaveUnlisted: true });
    const after = await checkTrail(rig, second, { isContinued: true });
    expect([before.faults, before.events, before.digests, after.faults]).toEqual([[], [recorded], [], []]);
    expect(after.digests.map(({ start, end }) => [start.slice(11), end.slice(11)])).toEqual([
      ['03:04:05Z', '03:06:00Z'],
      ['03:06:00Z', '03:07:00Z'],
      ['03:07:00Z', '03:08:00Z'],
    ]);
    expect(after.digests[0]!.logFiles).toEqual(expect.arrayContaining([...before.logFiles]));
  });

  test('a trail deleted while its bucket refuses it is given up with a fact that says what was not delivered', async () => {
    const { rig, trails } = await logging();
    await rig.objects.updateBucket(BUCKET, { policy: null });
    await rig.record(HOME);
    await rig.pass(trails, FLUSH_MS);
    await rig.send(trails, 'DeleteTrail', { Name: 'main' });
    await rig.pass(trails, 60_000);
    expect(trails.followers()).toEqual([]);
    const gaps = (await rig.journal.read(0n, 1000)).filter(({ id }) => id.startsWith('gap/'));
    expect(gaps.map(({ bytes }) => JSON.parse(Buffer.from(bytes).toString()))).toEqual([
      expect.objectContaining({ reason: 'deleted before delivery', error: 'AccessDenied', undeliveredFrom: '5' }),
    ]);
    expect(await rig.catalog.list(['accounting', `trail/${TRAIL_ACCOUNT}/${HOME}/main`])).toEqual([]);
  });
});

describe('a trail of a name that was used before', () => {
  test('goes on with the next receipt and later digests in the same bucket', async () => {
    const { rig, trails } = await logging();
    const first = await rig.record(HOME);
    await rig.send(trails, 'DeleteTrail', { Name: 'main' });
    await rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET, EnableLogFileValidation: true });
    await rig.send(trails, 'StartLogging', { Name: 'main' });
    const second = await rig.record(HOME);
    await rig.pass(trails, 2 * DIGEST_MS);
    const { faults, events, receipts, digests } = await checkTrail(rig, BUCKET);
    expect(faults).toEqual([]);
    expect(events).toEqual(expect.arrayContaining([first, second]));
    expect(receipts.map(({ kind }) => kind).filter((kind) => kind === 'start' || kind === 'stop')).toEqual(['start', 'stop', 'start']);
    expect(digests.map(({ isStarting }) => isStarting)).toEqual([true, true, false]);
    expect(await unexplained(rig, trails)).toBe(0);
  });
});

describe('run', () => {
  test('delivers by itself, is woken by changes, and stops when told', async () => {
    const rig = new TrailRig();
    await rig.createBucket();
    const trails = await rig.open();
    const stop = new AbortController();
    const running = trails.run(stop.signal);
    await rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET });
    await rig.send(trails, 'StartLogging', { Name: 'main' });
    const recorded = await rig.record(HOME);
    await trails.flushNow();
    stop.abort();
    await running;
    expect((await checkTrail(rig, BUCKET, { mayHaveUnlisted: true })).events).toEqual([recorded]);
  });

  test.each(['put', 'getBucket'] as const)('stops at once while the bucket does not answer a %s', async (method) => {
    const { rig } = await logging();
    let hangs = (): void => undefined;
    const isAsked = new Promise<void>((resolve) => {
      hangs = resolve;
    });
    const silent = (): Promise<never> => {
      hangs();
      return new Promise(() => undefined);
    };
    Object.assign(rig.objects, { [method]: silent });
    const trails = await rig.open();
    await rig.record(HOME);
    const stop = new AbortController();
    const running = trails.run(stop.signal);
    await isAsked;
    stop.abort();
    await running;
    expect(rig.troubles.at(-1)?.error).toMatchObject({ message: expect.stringMatching(/was cut short/) });
  });

  test('a flush ends after its time, whatever the bucket does', async () => {
    const { rig } = await logging();
    rig.objects.put = () => new Promise(() => undefined);
    const trails = await rig.open();
    await rig.record(HOME);
    const flushed = trails.flushNow(3_000);
    await rig.clock.advance(3_000);
    await flushed;
    expect(trails.followers()[0]!.cursor()).toBeLessThan(rig.journal.head());
  });
});
