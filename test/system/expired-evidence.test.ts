/**
 * Evidence that a lifecycle rule of its bucket let expire, and what an attacker would like to pass off as that (A22, BP6).
 *
 * The trails run on memory stores with a real evidence tree; the rules are carried out by the server's own task, and the verifier asks
 * what a server answers.
 */
import { describe, expect, test } from 'vitest';
import type { AccountId, BucketName, ObjectKey, Region } from '../../src/event/types.ts';
import { readBlob } from '../../src/kms/ciphertext.ts';
import { decryptWith } from '../../src/kms/encrypt-decrypt.ts';
import { findKey } from '../../src/kms/find-key.ts';
import { expireObjects } from '../../src/lifecycle/expire-objects.ts';
import { hashSha256 } from '../../src/server/sha256.ts';
import { createLockTime } from '../../src/store/object-lock.ts';
import type { LifecycleFilter, OpenDataKey } from '../../src/store/objects.ts';
import type { ScrubFinding } from '../../src/trail/create-trails.ts';
import type { VerifyReport } from '../../src/verify/report.ts';
import type { CallServer } from '../../src/verify/server-evidence.ts';
import type { EvidenceSource, Fetched } from '../../src/verify/source.ts';
import { answerOf, Installation, verifyUnderFirstKey } from '../support/trail-installation.ts';
import { BUCKET, DIGEST_MS, HOME, TRAIL_ACCOUNT } from '../support/trail-rig.ts';

const NAME = BUCKET as BucketName;
const WEST = 'us-west-2' as Region;
const LOGS = `AWSLogs/${TRAIL_ACCOUNT}/CloudTrail/`;
const RECEIPTS = `AWSLogs/${TRAIL_ACCOUNT}/CloudTrail-Evidence/${HOME}/main/receipts/`;
const QUARTER_MS = 15 * 60_000;

/** A trail that has delivered for three intervals, to a bucket whose rule is not carried out yet. */
async function deliver(options: { readonly isVersioned?: boolean; readonly filter?: LifecycleFilter } = {}): Promise<Installation> {
  const it = new Installation();
  const { rig } = it;
  await rig.createBucket();
  if (options.isVersioned) await rig.objects.updateBucket(NAME, { versioning: 'Enabled' });
  await it.open();
  await it.send('CreateTrail', { S3BucketName: BUCKET, EnableLogFileValidation: true, IsMultiRegionTrail: true });
  await it.send('StartLogging');
  for (let round = 0; round < 3; round++) {
    for (const region of [HOME, WEST]) await rig.record(region);
    await it.pass(DIGEST_MS);
  }
  const { filter = {} } = options;
  const lifecycle = [
    { id: 'old', isEnabled: true, filter, expiration: { kind: 'date' as const, atMs: 0 }, noncurrentExpiration: { days: 1 } },
  ];
  await rig.objects.updateBucket(NAME, { lifecycle });
  return it;
}

/** What the trail delivers from now on is encrypted, with a new key that anybody may use. */
async function encrypt(it: Installation): Promise<void> {
  const Statement = [{ Effect: 'Allow', Principal: '*', Action: 'kms:*', Resource: '*' }];
  const { KeyMetadata } = await it.rig.sendKms('CreateKey', { Policy: JSON.stringify({ Version: '2012-10-17', Statement }) });
  await it.send('UpdateTrail', { KmsKeyId: KeyMetadata.Arn });
}

/** Lets the rules be carried out once. */
async function expire(it: Installation): Promise<void> {
  const { clock, objects, journal } = it.rig;
  const stop = new AbortController();
  const running = expireObjects(
    {
      ...{ clock, lockTime: createLockTime(clock), objects, journal, sha256: hashSha256 },
      accounts: () => [TRAIL_ACCOUNT],
      record: async () => undefined,
      report: (bucket, error) => {
        throw new Error(`${bucket}: ${error}`);
      },
    },
    stop.signal,
  );
  await clock.advance(QUARTER_MS);
  stop.abort();
  await running;
}

async function readable(it: Installation): Promise<EvidenceSource> {
  const { objects } = it.rig;
  return {
    ...{ name: `s3://${BUCKET}`, kind: 'bucket', bucket: BUCKET, prefix: '', jobs: 8, versionsUnknown: () => undefined },
    async *list() {
      const { versions } = await objects.listVersions(NAME, { limit: 1_000 });
      for (const key of new Set(versions.map((each) => each.key))) {
        const all = versions.filter((each) => each.key === key);
        const there = all.filter(({ isDeleteMarker }) => !isDeleteMarker);
        const contents = new Set(there.map(({ etag }) => etag)).size;
        const versionIds = there.map(({ versionId }) => versionId ?? 'null');
        yield { key, sizeBytes: all[0]!.sizeBytes, isPresent: !all[0]!.isDeleteMarker, contents, versionIds };
      }
    },
    get: (key) => fetchObject(it, key),
    getVersion: (key, versionId) => fetchObject(it, key, versionId),
  };
}

/** With the right to decrypt. */
async function fetchObject({ rig }: Installation, key: string, versionId?: string): Promise<Fetched> {
  const openKey: OpenDataKey = async ({ dataKey, context = {} }) => {
    const blob = Buffer.from(dataKey, 'base64');
    const { account, keyId: id } = readBlob(blob)!;
    const kmsKey = await findKey(rig.kms, { kind: 'key', account, region: HOME, id });
    return (await decryptWith(rig.kms, kmsKey!.value, blob, context)).plaintext;
  };
  const found = await rig.objects.get(NAME, key as ObjectKey, { openKey, ...(versionId === undefined ? {} : { versionId }) });
  if (found === undefined) return { kind: 'missing' };
  const pieces: Uint8Array[] = [];
  for await (const piece of found.body) pieces.push(piece);
  return { kind: 'object', bytes: Buffer.concat(pieces), metadata: found.info.metadata };
}

const serverOf =
  (it: Installation): CallServer =>
  (operation, input) =>
    answerOf(it, operation, input);

async function verified(it: Installation, callServer: CallServer | undefined = serverOf(it)): Promise<VerifyReport> {
  return verifyUnderFirstKey(it, await readable(it), callServer);
}

const faults = ({ findings }: VerifyReport) =>
  findings.filter(({ level }) => level === 'tampered' || level === 'incomplete').map(({ level, code, key }) => `${level} ${code} ${key}`);
const keysWith = ({ files }: VerifyReport, verdict: string) => files.filter((each) => each.verdict === verdict).map(({ key }) => key);

async function keysOf({ rig }: Installation, prefix: string): Promise<ObjectKey[]> {
  const { objects } = await rig.objects.list(NAME, { prefix, limit: 1_000 });
  return objects.map(({ key }) => key);
}

describe('evidence that expired by a rule of its bucket (A22, BP6)', () => {
  const filters: readonly (readonly [string, LifecycleFilter])[] = [
    ['everything', {}],
    ['log files', { prefix: LOGS }],
    ['receipts', { prefix: RECEIPTS }],
  ];
  for (const isVersioned of [false, true])
    test.each(filters)(`is expired, and no fault: %s of a bucket ${isVersioned ? 'with' : 'without'} versions`, async (_, filter) => {
      const it = await deliver({ isVersioned, filter });
      const before = (await keysOf(it, filter.prefix ?? 'AWSLogs/')).filter((key) => !key.endsWith('/'));
      await expire(it);
      expect(await keysOf(it, filter.prefix ?? 'AWSLogs/')).toEqual([]);
      await it.pass(2 * DIGEST_MS);
      const report = await verified(it);
      expect([faults(report), report.exitCode]).toEqual([[], 0]);
      const named = keysWith(report, 'expired');
      expect(named).toEqual(before.filter((key) => isVersioned || !key.includes('/keys/')));
      const days = `on ${new Date(it.rig.clock.nowMs()).toISOString().slice(0, 10)}`;
      expect(report.findings.filter(({ code }) => code === 'expired').map(({ level, message }) => `${level}: ${message}`)).toEqual([
        `note: ${named.length} files expired by the rule \`old\` of \`${BUCKET}\` ${days}, as the journal of the server shows: what was in them cannot be checked any more`,
      ]);
    });

  test('is expired also where nothing of a trail that is stopped is left', async () => {
    const it = await deliver();
    await it.send('StopLogging');
    await it.pass(DIGEST_MS);
    await expire(it);
    expect(await keysOf(it, 'AWSLogs/')).toEqual([]);
    await it.work();
    const report = await verified(it);
    expect([faults(report), report.exitCode]).toEqual([[], 0]);
    expect(keysWith(report, 'expired').length).toBeGreaterThan(10);
  });

  test('is expired also where it was encrypted', async () => {
    const it = await deliver();
    const { rig } = it;
    await encrypt(it);
    const before = await keysOf(it, LOGS);
    await rig.record(HOME);
    await it.pass(DIGEST_MS);
    await it.send('StopLogging');
    await it.pass(DIGEST_MS);
    const added = (await keysOf(it, LOGS)).filter((key) => !before.includes(key));
    expect((await rig.objects.head(NAME, added[0]!))?.encryption).toMatchObject({ algorithm: 'aws:kms' });
    await expire(it);
    await it.work();
    const report = await verified(it);
    expect([faults(report), report.exitCode]).toEqual([[], 0]);
    expect(keysWith(report, 'expired')).toEqual(expect.arrayContaining(added));
  });

  test('is missing where somebody deleted it: before, after, or behind the delete marker of the rule', async () => {
    for (const isVersioned of [false, true]) {
      const it = await deliver({ isVersioned, filter: { prefix: LOGS } });
      const { objects } = it.rig;
      const [stolen, hidden] = await keysOf(it, LOGS);
      const remove = async (key: ObjectKey) => {
        const { versions } = await objects.listVersions(NAME, { prefix: key, limit: 10 });
        for (const { versionId, isDeleteMarker } of versions) if (!isDeleteMarker) await objects.delete(NAME, key, versionId ?? 'null');
      };
      await remove(stolen!);
      await expire(it);
      if (isVersioned) await remove(hidden!);
      await it.rig.record(HOME);
      await it.pass(2 * DIGEST_MS);
      const [late] = (await keysOf(it, LOGS)).slice(-1);
      await remove(late!);
      const report = await verified(it);
      expect([report.exitCode, keysWith(report, 'missing')]).toEqual([1, [stolen!, ...(isVersioned ? [hidden!] : []), late!].sort()]);
    }
  });

  test('is missing where something else was put behind the delete marker of the rule, in its place', async () => {
    const it = await deliver({ isVersioned: true, filter: { prefix: LOGS } });
    const { objects } = it.rig;
    const [key] = await keysOf(it, LOGS);
    await expire(it);
    const { versions } = await objects.listVersions(NAME, { prefix: key!, limit: 10 });
    await objects.delete(NAME, key!, versions.find(({ isDeleteMarker }) => !isDeleteMarker)!.versionId!);
    await objects.put(NAME, key!, new TextEncoder().encode('something else'));
    await objects.delete(NAME, key!);
    await it.pass(2 * DIGEST_MS);
    const report = await verified(it);
    expect([report.exitCode, keysWith(report, 'missing')]).toEqual([1, [key]]);
  });

  test('is missing where something else lay at its place when it expired', async () => {
    const it = await deliver({ filter: { prefix: LOGS } });
    const [key] = await keysOf(it, LOGS);
    const SHA256 = Buffer.from(hashSha256(new TextEncoder().encode('forged'))).toString('base64');
    await it.rig.objects.put(NAME, key!, new TextEncoder().encode('forged'), { checksums: { SHA256 } });
    await expire(it);
    await it.pass(DIGEST_MS);
    const report = await verified(it);
    expect([report.exitCode, keysWith(report, 'missing')]).toEqual([1, [key]]);
  });

  test('is missing where the word of the server is not in its signed tree, or is of another place', async () => {
    const it = await deliver({ filter: { prefix: LOGS } });
    const [stolen] = await keysOf(it, LOGS);
    await it.rig.objects.delete(NAME, stolen!);
    await expire(it);
    await it.pass(DIGEST_MS);
    const [other] = keysWith(await verified(it), 'expired');
    const lies: readonly ((answer: Record<string, string>) => Record<string, string>)[] = [
      (answer) => answer,
      (answer) => ({ ...answer, Bytes: swap(answer['Bytes']!, other!, stolen!) }),
      (answer) => {
        const Bytes = swap(answer['Bytes']!, other!, stolen!);
        const hash = Buffer.from(hashSha256(Buffer.concat([Buffer.from(answer['Nonce']!, 'base64'), Buffer.from(Bytes, 'base64')])));
        return { ...answer, Bytes, LeafText: answer['LeafText']!.replace(/[0-9a-f]{64}\n$/, `${hash.toString('hex')}\n`) };
      },
      (answer) => ({ ...answer, Checkpoint: answer['Checkpoint']!.replace(/\n\d+\n/, '\n9\n') }),
    ];
    for (const lie of lies) {
      const server: CallServer = async (operation, input) => {
        if (operation !== 'GetExpirations' || input['Key'] !== stolen) return answerOf(it, operation, input);
        const { Expirations } = (await answerOf(it, operation, { ...input, Key: other })) as { Expirations: Record<string, string>[] };
        return { Expirations: Expirations.map(lie) };
      };
      const report = await verified(it, server);
      expect([report.exitCode, keysWith(report, 'missing')]).toEqual([1, [stolen]]);
    }
  });

  test('is missing without a server, which is said; undecided where the server does not answer', async () => {
    const it = await deliver({ filter: { prefix: LOGS } });
    await expire(it);
    await it.pass(DIGEST_MS);
    const offline = await verifyUnderFirstKey(it, await readable(it));
    expect(offline.exitCode).toBe(1);
    expect(offline.cannotKnow).toContain('whether what is missing expired by a lifecycle rule of the bucket: ask the server');
    const silent: CallServer = async (operation, input) => {
      if (operation === 'GetExpirations') throw new Error('no answer');
      return answerOf(it, operation, input);
    };
    const report = await verified(it, silent);
    expect([report.exitCode, new Set(faults(report).map((fault) => fault.split(' ')[1]))]).toEqual([2, new Set(['undecided'])]);
  });

  test('is told to nobody but the owner of the trail and the administrator, and of nothing beside the trail', async () => {
    const it = await deliver();
    await it.rig.objects.put(NAME, 'other/thing' as ObjectKey, new TextEncoder().encode('x'));
    const [log] = await keysOf(it, LOGS);
    await expire(it);
    await it.work();
    const TrailARN = `arn:aws:cloudtrail:${HOME}:${TRAIL_ACCOUNT}:trail/main`;
    const ask = (Key: string) => answerOf(it, 'GetExpirations', { TrailARN, S3BucketName: BUCKET, Key });
    expect(await ask(log!)).toMatchObject({ Expirations: [{ Sequence: expect.any(String) }] });
    expect(await ask('other/thing')).toEqual({ Expirations: [] });
    const stranger = it.rig.call('999999999999' as AccountId);
    const call = { ...stranger, principal: { ...stranger.principal, isAdministrator: false } };
    await expect(it.rig.send(it.trails, 'GetExpirations', { TrailARN, ReceiptNumber: 1 }, call)).rejects.toThrow('Unknown trail');
  });

  test('is a loss where only something else expired at its place, which somebody put there before', async () => {
    const it = await deliver({ filter: { prefix: RECEIPTS, sizeLessThan: 2 } });
    const { objects } = it.rig;
    const last = Number(/(\d+)\.note$/.exec((await keysOf(it, RECEIPTS)).at(-1)!)![1]);
    const next = Array.from({ length: 60 }, (_, index) => `${RECEIPTS}${`${last + 1 + index}`.padStart(12, '0')}.note` as ObjectKey);
    for (const key of next) await objects.put(NAME, key, new TextEncoder().encode('x'));
    await expire(it);
    await it.send('StopLogging');
    await it.pass(DIGEST_MS);
    const newest = (await keysOf(it, RECEIPTS)).at(-1)!;
    expect(next).toContain(newest);
    await objects.delete(NAME, newest);
    const found: ScrubFinding[] = [];
    const { signal } = new AbortController();
    await it.trails.findGone(signal, (each) => found.push(each));
    await it.trails.scrub(signal, (each) => found.push(each));
    expect(found.map((each) => [each.outcome, 'key' in each && each.key])).toEqual([
      ['newest-receipt-gone', newest],
      ['put-again', newest],
    ]);
  });

  test('is no other content where the server put an encrypted file again that somebody deleted', async () => {
    const it = await deliver({ isVersioned: true, filter: { prefix: 'nothing' } });
    const { rig } = it;
    const { objects } = rig;
    await encrypt(it);
    const before = await keysOf(it, LOGS);
    await rig.record(HOME);
    await it.pass(DIGEST_MS);
    const [key] = (await keysOf(it, LOGS)).filter((each) => !before.includes(each));
    await objects.delete(NAME, key!);
    const { signal } = new AbortController();
    const found: ScrubFinding[] = [];
    await it.trails.scrub(signal, (each) => found.push(each));
    expect(found).toMatchObject([{ outcome: 'put-again', key }]);
    const report = await verified(it);
    expect([faults(report), keysWith(report, 'valid').includes(key!)]).toEqual([[], true]);
    const { bytes } = (await fetchObject(it, key!)) as { bytes: Uint8Array };
    // Something else in a version, of the same size, is seen all the same.
    await objects.put(NAME, key!, new Uint8Array(bytes.length));
    expect(faults(await verified(it))).toEqual([`tampered bytes ${key}`]);
    await objects.put(NAME, key!, bytes);
    expect(faults(await verified(it))).toEqual([`tampered overwritten ${key}`]);
  });

  test('is no loss to the looks at the bucket, and is not put again', async () => {
    const it = await deliver();
    await it.send('StopLogging');
    await it.pass(DIGEST_MS);
    await expire(it);
    const found: ScrubFinding[] = [];
    const { signal } = new AbortController();
    await it.trails.findGone(signal, (each) => found.push(each));
    await it.trails.scrub(signal, (each) => found.push(each));
    expect([found, await keysOf(it, 'AWSLogs/')]).toEqual([[], []]);
  });
});

function swap(base64: string, from: string, to: string): string {
  return Buffer.from(Buffer.from(base64, 'base64').toString().replace(from, to)).toString('base64');
}
