/**
 * A trail that was moved lies in several buckets: all of them are read, and judged as one.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { buildEvidence, type EvidenceBuilder, Installation, MemoryBucket } from '../../test/support/evidence-builder.ts';
import { folderSource } from './folder-source.ts';
import type { OpenPlace } from './open-places.ts';
import type { VerifyReport } from './report.ts';
import { type EvidenceSource, type ListedObject, SourceUnreachable } from './source.ts';
import { parsePinnedKeys } from './trust.ts';
import { type VerifyOptions, verify } from './verify.ts';

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

/** Findings that decide the verdict, as `code key`. */
function faults({ findings }: VerifyReport): string[] {
  const deciding = findings.filter(({ level }) => level === 'tampered' || level === 'incomplete');
  return deciding.map(({ code, key }) => (key === undefined ? code : `${code} ${key}`));
}

/** Some buckets at one endpoint, and what of them was opened. */
class Endpoint {
  readonly buckets: Map<string, MemoryBucket>;
  readonly opened: string[] = [];

  constructor(...buckets: readonly MemoryBucket[]) {
    this.buckets = new Map(buckets.map((bucket) => [bucket.name, bucket]));
  }

  readonly openPlace: OpenPlace = ({ bucket, prefix }) => {
    this.opened.push(`${bucket}/${prefix}`);
    return this.source(bucket, prefix);
  };

  source(name: string, prefix = ''): EvidenceSource {
    const bucket = this.buckets.get(name);
    return bucket === undefined ? refused(new MemoryBucket(name).source(prefix)) : bucket.source(prefix);
  }

  copy(): Endpoint {
    return new Endpoint(...[...this.buckets.values()].map((bucket) => bucket.copy()));
  }
}

function refused(source: EvidenceSource): EvidenceSource {
  return {
    ...source,
    // biome-ignore lint/correctness/useYield: it cannot be listed.
    list: async function* (): AsyncGenerator<ListedObject> {
      throw new SourceUnreachable(`\`${source.name}\` cannot be listed: status 403`);
    },
  };
}

/** Goes on for an interval. */
async function goOn(builder: EvidenceBuilder): Promise<void> {
  builder.nowMs += 60_000;
  await builder.deliver();
  await builder.closeInterval();
}

/** A trail that was moved from place to place: `bucket` or `bucket/prefix`. */
async function moved(places: readonly string[], options: ConstructorParameters<typeof EvidenceBuilder>[0] = {}) {
  const endpoint = new Endpoint();
  const bucketOf = (place: string) => {
    const name = place.split('/')[0]!;
    const bucket = endpoint.buckets.get(name) ?? new MemoryBucket(name);
    endpoint.buckets.set(name, bucket);
    return bucket;
  };
  const prefixOf = (place: string) => place.split('/')[1];
  const [first, ...rest] = places;
  const prefix = prefixOf(first!);
  const builder = await buildEvidence({ digests: 2, bucket: bucketOf(first!), ...(prefix !== undefined && { prefix }), ...options });
  for (const place of rest) {
    await builder.moveTo(bucketOf(place), prefixOf(place));
    for (let interval = 0; interval < 2; interval++) await goOn(builder);
  }
  return { builder, endpoint };
}

function verifyFrom(
  builder: EvidenceBuilder,
  endpoint: Endpoint,
  name: string,
  options: Partial<VerifyOptions> = {},
): Promise<VerifyReport> {
  return verify({
    source: endpoint.source(name),
    openPlace: endpoint.openPlace,
    pinnedKeys: parsePinnedKeys(builder.installation.verifierKey),
    nowMs: builder.nowMs,
    threads: 0,
    ...options,
  });
}

/** The ways to name what is to be verified, each of which leads to all of it. */
function ways(builder: EvidenceBuilder): readonly (readonly [string, string, Partial<VerifyOptions>])[] {
  return [
    ['the first place, by the word of the server', 'bucket-a', { callServer: builder.callServer() }],
    ['the newest place, by the word of the server', builder.bucket.name, { callServer: builder.callServer() }],
    ['the newest place, by its receipts', builder.bucket.name, {}],
  ];
}

const MOVES: readonly (readonly string[])[] = [
  ['bucket-a', 'bucket-b'],
  ['bucket-a/one', 'bucket-b/two', 'bucket-c'],
  ['bucket-a', 'bucket-b', 'bucket-a'],
  ['bucket-a', 'bucket-a/two', 'bucket-b'],
];

describe('a trail that was moved', () => {
  test.each(MOVES.map((places) => [places.join(', '), places] as const))('%s: is complete and consistent', async (_, places) => {
    const { builder, endpoint } = await moved(places);
    for (const [what, name, options] of ways(builder)) {
      const report = await verifyFrom(builder, endpoint, name, options);
      expect([what, faults(report), report.exitCode]).toEqual([what, [], 0]);
      const keys = [...endpoint.buckets.values()].flatMap((bucket) => bucket.keys().map((key) => `${bucket.name}/${key}`));
      expect(report.files.map(({ key, verdict }) => `${key} ${verdict}`)).toEqual(keys.sort().map((key) => `${key} valid`));
      expect(report.trails).toHaveLength(1);
    }
  });

  test.each(MOVES.map((places) => [places.join(', '), places] as const))(
    '%s: any one file that is deleted, deleted with a marker, changed or overwritten, at whatever place, is named',
    async (_, places) => {
      const { builder, endpoint } = await moved(places);
      const changes: readonly ((bucket: MemoryBucket, key: string) => void)[] = [
        (bucket, key) => bucket.objects.delete(key),
        (bucket, key) => bucket.markDeleted(key),
        (bucket, key) => bucket.put(key, new TextEncoder().encode('changed')),
        (bucket, key) => bucket.putVersion(key, bucket.objects.get(key)!.body.subarray(1)),
      ];
      for (const { name: where } of endpoint.buckets.values()) {
        for (const key of endpoint.buckets
          .get(where)!
          .keys()
          .filter((each) => !each.includes('/keys/'))) {
          for (const [index, change] of changes.entries()) {
            const copy = endpoint.copy();
            change(copy.buckets.get(where)!, key);
            for (const [what, name, options] of ways(builder)) {
              // Without the server, what the newest receipt names may be on its way, and nobody misses that receipt.
              const isNewest = where === builder.bucket.name && (key === builder.receiptKey() || key === newestDigest(builder));
              if (isNewest && index === 0 && options.callServer === undefined) continue;
              const report = await verifyFrom(builder, copy, name, options);
              // Without the receipt that names the others, and without the server, one place is all there is.
              const at = report.source.includes(', ') ? `${where}/${key}` : key;
              const isNamed = faults(report).some((fault) => fault.endsWith(` ${at}`));
              expect([key, index, what, report.exitCode, isNamed]).toEqual([key, index, what, 1, true]);
            }
          }
        }
      }
    },
  );

  test.each(MOVES.map((places) => [places.join(', '), places] as const))(
    '%s: a file that is forged at any place is named',
    async (_, places) => {
      const { builder, endpoint } = await moved(places);
      for (const { name: where } of endpoint.buckets.values()) {
        const copy = endpoint.copy();
        const bucket = copy.buckets.get(where)!;
        const key = bucket.keys('/CloudTrail/')[0]!.replace(/_[A-Za-z0-9]{16}\.json/, '_AAAAAAAAAAAAAAAA.json');
        bucket.put(key, new TextEncoder().encode('forged'));
        for (const [, name, options] of ways(builder)) {
          const report = await verifyFrom(builder, copy, name, options);
          expect([faults(report), report.exitCode]).toEqual([[`unlisted ${where}/${key}`], 1]);
        }
      }
    },
  );

  test.each(MOVES.map((places) => [places.join(', '), places] as const))(
    '%s: a tail that was cut off together with its receipts, also the whole newest place, is missing',
    async (_, places) => {
      const { builder, endpoint } = await moved(places);
      const { name: where } = builder.bucket;
      const due = builder.receiptKey();
      const cuts: readonly ((bucket: MemoryBucket) => readonly string[])[] = [
        (bucket) => [due, newestDigest(builder), bucket.keys('/CloudTrail/').at(-1)!],
        (bucket) => bucket.keys(due.slice(0, due.indexOf('AWSLogs/') + 'AWSLogs/'.length)),
      ];
      for (const cut of cuts) {
        const copy = endpoint.copy();
        for (const key of cut(copy.buckets.get(where)!)) copy.buckets.get(where)!.objects.delete(key);
        for (const name of new Set(['bucket-a', where])) {
          const report = await verifyFrom(builder, copy, name, { callServer: builder.callServer() });
          expect(report.exitCode).toBe(1);
          expect(faults(report)).toContain(`receipt-missing ${where}/${due}`);
        }
      }
    },
  );

  test('all of an earlier place that was removed from its bucket is missing', async () => {
    for (const places of MOVES) {
      const { builder, endpoint } = await moved(places);
      const bucket = endpoint.buckets.get(builder.bucket.name === 'bucket-a' ? 'bucket-b' : 'bucket-a')!;
      const [receipt] = bucket.keys('/receipts/');
      bucket.objects.clear();
      for (const [, name, options] of ways(builder).slice(1)) {
        const report = await verifyFrom(builder, endpoint, name, options);
        expect(report.exitCode).toBe(1);
        expect(faults(report)).toContain(`receipt-missing ${bucket.name}/${receipt}`);
      }
    }
  });

  test('a receipt that lies at another place than its own is found', async () => {
    const { builder, endpoint } = await moved(['bucket-a', 'bucket-b']);
    const [first, second] = [endpoint.buckets.get('bucket-a')!, endpoint.buckets.get('bucket-b')!];
    for (const [from, to] of [
      [first, second],
      [second, first],
    ] as const) {
      const receipt = from.keys('/receipts/').at(-2)!;
      for (const isCopied of [true, false]) {
        const copy = endpoint.copy();
        copy.buckets.get(to.name)!.put(receipt, from.objects.get(receipt)!.body);
        if (!isCopied) copy.buckets.get(from.name)!.objects.delete(receipt);
        for (const [what, name, options] of ways(builder)) {
          const report = await verifyFrom(builder, copy, name, options);
          expect([what, report.exitCode, faults(report).includes('moved')]).toEqual([what, 1, true]);
        }
      }
    }
  });

  test('a fault of digests is named in the bucket where they lie', async () => {
    const builder = await buildEvidence({ digests: 1, bucket: new MemoryBucket('bucket-a') });
    builder.skipInterval();
    const [after] = await builder.closeInterval();
    const endpoint = new Endpoint(builder.bucket, new MemoryBucket('bucket-b'));
    await builder.moveTo(endpoint.buckets.get('bucket-b')!);
    await goOn(builder);
    for (const [, name, options] of ways(builder))
      expect(faults(await verifyFrom(builder, endpoint, name, options))).toEqual([`gap bucket-a/${after}`]);
  });

  test('a state knows the place that it saw: what was removed there since is missing, and the state goes on with the trail', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'snowtrail-places-'));
    folders.push(folder);
    const statePath = join(folder, 'state.json');
    const { builder, endpoint } = await moved(['bucket-a']);
    expect((await verifyFrom(builder, endpoint, 'bucket-a', { statePath })).exitCode).toBe(0);
    const second = new MemoryBucket('bucket-b');
    endpoint.buckets.set('bucket-b', second);
    await builder.moveTo(second, 'deep');
    await goOn(builder);
    const options = { statePath, callServer: builder.callServer() };
    for (const name of ['bucket-a', 'bucket-b']) expect(faults(await verifyFrom(builder, endpoint, name, options))).toEqual([]);

    await goOn(builder);
    const seen = builder.receiptKey();
    expect((await verifyFrom(builder, endpoint, 'bucket-b', options)).exitCode).toBe(0);
    const cut = endpoint.copy();
    cut.buckets.get('bucket-b')!.objects.delete(seen);
    cut.buckets.get('bucket-b')!.objects.delete(newestDigest(builder));
    const report = await verifyFrom(builder, cut, 'bucket-b', { statePath });
    expect([report.exitCode, faults(report).includes(`receipt-missing bucket-b/${seen}`)]).toEqual([1, true]);
  });

  test('a trail that goes back to an earlier place while the places are listed is no forgery', async () => {
    const { builder, endpoint } = await moved(['bucket-a', 'bucket-b']);
    const [first, second] = [endpoint.buckets.get('bucket-a')!, endpoint.buckets.get('bucket-b')!];
    const callServer = builder.callServer();
    const evidence = await callServer('GetTrailEvidence', {});
    const source: EvidenceSource = {
      ...first.source(),
      // The log file is listed, and its receipt was put after its folder had been.
      list: async function* () {
        yield* first.source().list();
        await builder.moveTo(first);
        const [log] = await builder.deliver();
        yield { key: log!, sizeBytes: 1, isPresent: true, contents: 1 };
        await goOn(builder);
      },
    };
    const report = await verifyFrom(builder, endpoint, 'bucket-a', {
      source,
      callServer: builder.callServer({ GetTrailEvidence: () => evidence }),
    });
    expect(second.keys('/receipts/').length).toBeGreaterThan(0);
    expect([faults(report), report.exitCode]).toEqual([[], 0]);
  });

  test('nor is one that comes to a place of others while that is listed, or is new there; and what is forged besides is named', async () => {
    const forged =
      'AWSLogs/123837392027/CloudTrail/eu-central-1/2026/01/02/123837392027_CloudTrail_eu-central-1_20260102T0300Z_AAAAAAAAAAAAAAAA.json.gz';
    for (const isForged of [false, true]) {
      for (const from of ['bucket-b', undefined]) {
        const installation = new Installation();
        const { builder, endpoint } = await moved(['bucket-a'], { installation });
        const { bucket } = builder;
        if (isForged) bucket.put(forged, new TextEncoder().encode('forged'));
        const comer = await buildEvidence({
          installation,
          digests: from === undefined ? 0 : 1,
          name: 'comer',
          bucket: new MemoryBucket('bucket-b'),
        });
        endpoint.buckets.set('bucket-b', comer.bucket);
        let listings = 0;
        const source: EvidenceSource = {
          ...bucket.source(),
          list: async function* () {
            yield* bucket.source().list();
            if (listings++ > 0) return;
            const news = from === undefined ? await buildEvidence({ installation, digests: 0, name: 'newest', bucket }) : comer;
            if (from !== undefined) await news.moveTo(bucket);
            const [log] = await news.deliver();
            yield { key: log!, sizeBytes: 1, isPresent: true, contents: 1 };
            await goOn(news);
          },
        };
        const report = await verifyFrom(builder, endpoint, 'bucket-a', { source, nowMs: comer.nowMs });
        const at = from === undefined ? forged : `bucket-a/${forged}`;
        expect([faults(report), report.exitCode]).toEqual(isForged ? [[`unlisted ${at}`], 1] : [[], 0]);
      }
    }
  });
});

describe('a place whose only receipt cannot be read', () => {
  async function passed() {
    const builder = await buildEvidence({ digests: 2, bucket: new MemoryBucket('bucket-a') });
    const endpoint = new Endpoint(builder.bucket, new MemoryBucket('bucket-b'), new MemoryBucket('bucket-c'));
    await builder.moveTo(endpoint.buckets.get('bucket-b')!);
    builder.nowMs += 60_000;
    const [log] = await builder.deliver();
    const refused = builder.receiptKey();
    await builder.moveTo(endpoint.buckets.get('bucket-c')!);
    await goOn(builder);
    return { builder, endpoint, log: log!, refused };
  }

  test('is incomplete: what it named is held against the digest at the next place, and is no forgery', async () => {
    const { builder, endpoint, log, refused } = await passed();
    endpoint.buckets.get('bucket-b')!.unreadable.add(refused);
    for (const [what, name, options] of ways(builder)) {
      const report = await verifyFrom(builder, endpoint, name, options);
      expect([what, report.exitCode, faults(report).sort()]).toEqual([
        what,
        2,
        [`undecided bucket-b/${log}`, `unreadable bucket-b/${refused}`],
      ]);
      const cut = endpoint.copy();
      cut.buckets.get('bucket-b')!.objects.delete(log);
      expect(faults(await verifyFrom(builder, cut, name, options))).toContain(`missing bucket-b/${log}`);
    }
  });

  test('is so in copies of all places, too', async () => {
    const { builder, endpoint, refused } = await passed();
    const folder = await mkdtemp(join(tmpdir(), 'snowtrail-places-'));
    folders.push(folder);
    for (const bucket of endpoint.buckets.values()) await bucket.writeTo(join(folder, bucket.name));
    const copies = await folderSource(folder);
    const source: EvidenceSource = {
      ...copies,
      get: async (key, max) => (key === `bucket-b/${refused}` ? { kind: 'unreadable', reason: 'EIO' } : copies.get(key, max)),
    };
    const report = await verifyFrom(builder, endpoint, '', { source });
    expect(report.findings.filter(({ level }) => level === 'tampered')).toEqual([]);
    expect(report.exitCode).toBe(2);
  });
});

describe('a receipt that cannot be read at a new place', () => {
  test('does not explain one that is gone from an earlier place, of which the receipt right after it is silent', async () => {
    const { builder, endpoint } = await moved(['bucket-a']);
    await builder.deliver();
    const gone = builder.receiptKey();
    await builder.deliver();
    const [first, second] = [builder.bucket, new MemoryBucket('bucket-b')];
    endpoint.buckets.set('bucket-b', second);
    await builder.moveTo(second);
    await goOn(builder);
    first.objects.delete(gone);
    second.unreadable.add(second.keys('/receipts/')[0]!);
    for (const [what, name, options] of ways(builder).slice(0, 2)) {
      const report = await verifyFrom(builder, endpoint, name, options);
      expect([what, report.exitCode, faults(report).includes(`receipt-missing bucket-a/${gone}`)]).toEqual([what, 1, true]);
    }
  });

  test('does not explain a copy of a file of an earlier place, once a digest lists all of the time when it was made', async () => {
    const { builder, endpoint } = await moved(['bucket-a']);
    const [first, second] = [builder.bucket, new MemoryBucket('bucket-b')];
    const deliver = async () => {
      builder.nowMs += 60_000;
      return (await builder.deliver())[0]!;
    };
    const log = await deliver();
    await builder.moveTo(second);
    await deliver();
    await deliver();
    second.unreadable.add(builder.receiptKey());
    await deliver();
    await builder.closeInterval();
    second.put(log, first.objects.get(log)!.body);
    // The earlier place is not opened.
    endpoint.buckets.clear();
    endpoint.buckets.set('bucket-b', second);
    const report = await verifyFrom(builder, endpoint, 'bucket-b');
    expect([report.exitCode, faults(report).includes(`unlisted ${log}`)]).toEqual([1, true]);
  });
});

describe('a place that cannot be listed', () => {
  test.each(MOVES.map((places) => [places.join(', '), places] as const))(
    '%s: is named with what to do, and what contradicts at the others is still found',
    async (_, places) => {
      const { builder, endpoint } = await moved(places);
      for (const hidden of endpoint.buckets.keys()) {
        for (const [what, name, options] of ways(builder)) {
          const rest = endpoint.copy();
          rest.buckets.delete(hidden);
          const report = await verifyFrom(builder, rest, name, options);
          expect([what, report.exitCode]).toEqual([what, 2]);
          // Given alone, it is the whole: nothing is known of the rest.
          const isAlone = hidden === name && options.callServer === undefined;
          const message = report.findings.find(({ code }) => code === 'unreachable')?.message;
          expect(message).toContain(`s3://${hidden}`);
          if (isAlone) continue;
          expect(message).toContain('Make it readable with this key, or verify copies of all places in one folder');
          for (const bucket of rest.buckets.values()) {
            const cut = rest.copy();
            const [log] = bucket.keys('/CloudTrail/');
            cut.buckets.get(bucket.name)!.objects.delete(log!);
            const found = await verifyFrom(builder, cut, name, options);
            // By receipts, nothing leads past what cannot be listed.
            const isRead = report.files.some(({ key }) => key === log || key === `${bucket.name}/${log}`);
            expect([what, hidden, bucket.name, found.exitCode]).toEqual([what, hidden, bucket.name, isRead ? 1 : 2]);
            if (options.callServer !== undefined) expect(isRead).toBe(true);
          }
        }
      }
    },
  );

  test('nor is one read that a copy names, or when nobody opens others', async () => {
    const { builder, endpoint } = await moved(['bucket-a', 'bucket-b']);
    const copy = endpoint.buckets.get('bucket-b')!.copy('copied');
    endpoint.buckets.set('copied', copy);
    const relocated = await verifyFrom(builder, endpoint, 'copied', { isRelocated: true });
    expect([faults(relocated), relocated.exitCode, endpoint.opened]).toEqual([['elsewhere'], 2, []]);
    const { openPlace: _, ...alone } = { openPlace: undefined, source: endpoint.source('bucket-b') };
    const report = await verify({
      ...alone,
      pinnedKeys: parsePinnedKeys(builder.installation.verifierKey),
      nowMs: builder.nowMs,
      threads: 0,
    });
    expect([faults(report), report.exitCode]).toEqual([['elsewhere'], 2]);
  });
});

describe('trails that share buckets', () => {
  async function two() {
    const installation = new Installation();
    const { builder, endpoint } = await moved(['bucket-a', 'bucket-b'], { installation });
    const still = await buildEvidence({ installation, digests: 2, name: 'still', bucket: endpoint.buckets.get('bucket-a')! });
    const gone = await buildEvidence({ installation, digests: 1, name: 'gone', bucket: new MemoryBucket('bucket-c') });
    endpoint.buckets.set('bucket-c', gone.bucket);
    await gone.moveTo(endpoint.buckets.get('bucket-b')!);
    await goOn(gone);
    const answers = await Promise.all([builder, still, gone].map((each) => each.callServer()('GetTrailEvidence', {})));
    const Trails = answers.flatMap((answer) => (answer as { Trails: readonly object[] }).Trails);
    const callServer = builder.callServer({ GetTrailEvidence: () => ({ Trails }) });
    return { builder, still, gone, endpoint, callServer };
  }

  test('are verified together: one that was moved, one that stayed, one that came from a third bucket', async () => {
    const { builder, still, gone, endpoint, callServer } = await two();
    for (const name of ['bucket-a', 'bucket-b', 'bucket-c']) {
      const report = await verifyFrom(builder, endpoint, name, { callServer });
      expect([name, faults(report)]).toEqual([name, []]);
      expect(report.trails.map(({ trailARN }) => trailARN).sort()).toEqual([builder, still, gone].map(({ trailARN }) => trailARN).sort());
    }
  });

  test('one alone, by its name, leads to its own places and no others', async () => {
    const { builder, still, gone, endpoint, callServer } = await two();
    const report = await verifyFrom(builder, endpoint, 'bucket-b', { callServer, trails: [builder.trailARN] });
    expect([faults(report), report.exitCode]).toEqual([[], 0]);
    expect(report.source).toBe(`s3://bucket-b, s3://bucket-a/AWSLogs/${builder.account}/`);
    expect(report.trails.map(({ trailARN }) => trailARN)).toEqual([builder.trailARN]);

    for (const other of [still, gone]) {
      const cut = endpoint.copy();
      const [log] = await verifyFiles(cut, other);
      cut.buckets.get(other.bucket.name)!.objects.delete(log!);
      expect((await verifyFrom(builder, cut, 'bucket-b', { callServer, trails: [builder.trailARN] })).exitCode).toBe(0);
      expect((await verifyFrom(builder, cut, 'bucket-b', { callServer })).exitCode).toBe(1);
    }
  });

  /** Digests of one trail at its newest place. */
  async function verifyFiles(endpoint: Endpoint, { name, bucket }: EvidenceBuilder): Promise<readonly string[]> {
    return endpoint.buckets.get(bucket.name)!.keys(`_${name}_`);
  }

  test('files of AWS beside them are verified by AWS’s rules, in their bucket', async () => {
    const { builder, endpoint } = await moved(['bucket-a', 'bucket-b']);
    const aws = await buildEvidence({ digests: 3, account: '999999999999', bucket: builder.bucket });
    for (const key of aws.bucket.keys('AWSLogs/999999999999/CloudTrail-Evidence/')) aws.bucket.objects.delete(key);
    const digestKeys = JSON.stringify({
      PublicKeyList: aws.installation.digestKeys.map(({ publicKey }) => ({ Value: Buffer.from(publicKey).toString('base64') })),
    });
    const pinnedKeys = {
      checkpoint: parsePinnedKeys(builder.installation.verifierKey).checkpoint,
      digest: parsePinnedKeys(digestKeys).digest,
    };
    const report = await verifyFrom(builder, endpoint, 'bucket-b', { pinnedKeys });
    expect([new Set(faults(report)), report.exitCode]).toEqual([new Set(['no-receipts']), 2]);
    const [log] = aws.bucket.keys('AWSLogs/999999999999/CloudTrail/');
    aws.bucket.objects.delete(log!);
    const cut = await verifyFrom(builder, endpoint, 'bucket-b', { pinnedKeys });
    expect([faults(cut).includes(`missing bucket-b/${log}`), cut.exitCode]).toEqual([true, 1]);
  });
});

describe('places that somebody made up', () => {
  /** A trail of another installation, whose receipts name places of the victim. */
  async function forged() {
    const { builder, endpoint } = await moved(['bucket-a', 'bucket-b']);
    const attacker = await buildEvidence({ digests: 1, name: 'odd', account: builder.account, bucket: new MemoryBucket('victim') });
    await attacker.moveTo(endpoint.buckets.get('bucket-b')!, undefined);
    await goOn(attacker);
    endpoint.buckets.set('victim', new MemoryBucket('victim'));
    return { builder, endpoint, attacker };
  }

  test('are not opened on the word of a receipt that no trusted key signed, and what it says makes nothing less tampered', async () => {
    const { builder, endpoint } = await forged();
    const report = await verifyFrom(builder, endpoint, 'bucket-b');
    expect(report.exitCode).toBe(1);
    expect(report.findings.map(({ code }) => code)).toContain('untrusted-key');
    expect(endpoint.opened).toEqual([`bucket-a/AWSLogs/${builder.account}/`]);
  });

  test('nor when nobody is trusted at all', async () => {
    const { endpoint, attacker } = await forged();
    const report = await verify({ source: endpoint.source('bucket-b'), openPlace: endpoint.openPlace, nowMs: attacker.nowMs, threads: 0 });
    expect(report.exitCode).not.toBe(0);
    expect(endpoint.opened).toEqual([]);
  });

  test('are opened when a key signed it that a trusted key leads to', async () => {
    const { builder, endpoint } = await moved(['bucket-a']);
    const first = builder.installation.verifierKey;
    await builder.rotate('checkpoint');
    await goOn(builder);
    endpoint.buckets.set('bucket-b', new MemoryBucket('bucket-b'));
    await builder.moveTo(endpoint.buckets.get('bucket-b')!);
    await goOn(builder);
    const pinnedKeys = parsePinnedKeys(first);
    const report = await verifyFrom(builder, endpoint, 'bucket-b', { pinnedKeys, callServer: builder.callServer() });
    expect(report.trust.by).toBe('pinned');
    expect(endpoint.opened).toEqual([`bucket-a/AWSLogs/${builder.account}/`]);
    expect([faults(report), report.exitCode]).toEqual([[], 0]);
  });

  test('are a hundred at most; those that are left out are named, and the verdict is incomplete', async () => {
    const { builder, endpoint } = await moved(['bucket-a', 'bucket-b']);
    const Places = Array.from({ length: 150 }, (_, index) => ({ S3BucketName: 'bucket-a', S3KeyPrefix: `odd-${index}` }));
    const answer = (await builder.callServer()('GetTrailEvidence', {})) as { Trails: readonly { Places: readonly object[] }[] };
    const Trails = answer.Trails.map((trail) => ({ ...trail, Places: [...trail.Places, ...Places] }));
    const callServer = builder.callServer({ GetTrailEvidence: () => ({ Trails }) });
    const report = await verifyFrom(builder, endpoint, 'bucket-b', { callServer });
    expect(endpoint.opened).toHaveLength(99);
    expect([faults(report), report.exitCode]).toEqual([['places'], 2]);
  });

  test('and whose names are those of no bucket are not opened', async () => {
    const { builder, endpoint } = await moved(['bucket-a', 'bucket-b']);
    const answer = (await builder.callServer()('GetTrailEvidence', {})) as { Trails: readonly object[] };
    const Places = ['bucket-b', '../bucket-a', 'AWSLogs', '', 'a/b?c'].map((name) => ({ S3BucketName: name }));
    const callServer = builder.callServer({ GetTrailEvidence: () => ({ Trails: answer.Trails.map((trail) => ({ ...trail, Places })) }) });
    const report = await verifyFrom(builder, endpoint, 'bucket-b', { callServer });
    expect(endpoint.opened).toEqual([`bucket-a/AWSLogs/${builder.account}/`]);
    expect(report.exitCode).toBe(0);
  });
});

function newestDigest({ bucket }: EvidenceBuilder): string {
  return bucket
    .keys('/CloudTrail-Digest/')
    .sort((one, other) => (one.slice(-23) < other.slice(-23) ? -1 : 1))
    .at(-1)!;
}
