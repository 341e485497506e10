import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildEvidence } from '../../test/support/evidence-builder.ts';
import { formatReport } from './format-report.ts';
import { parseState } from './state-file.ts';
import { parsePinnedKeys } from './trust.ts';
import { verify } from './verify.ts';

describe('malicious evidence (A44)', () => {
  const kinds = ['/receipts/', '/keys/', '/CloudTrail/', '/CloudTrail-Digest/'];

  test('any one file changed in any one place is never 0, and nothing throws', async () => {
    const builder = await buildEvidence({ digests: 2 });
    await builder.deliver();
    const pinnedKeys = parsePinnedKeys(builder.installation.verifierKey);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.nat(),
        fc.uint8Array({ minLength: 0, maxLength: 4 }),
        fc.nat({ max: 4 }),
        fc.constantFrom(...kinds),
        async (file, place, put, cut, kind) => {
          const bucket = builder.bucket.copy();
          const keys = bucket.keys(kind);
          const key = keys[file % keys.length]!;
          const { body, metadata } = bucket.objects.get(key)!;
          const at = place % body.length;
          const changed = Buffer.concat([body.subarray(0, at), put, body.subarray(at + cut)]);
          fc.pre(!changed.equals(body));
          bucket.put(key, changed, metadata);
          const report = await verify({ source: bucket.source(), pinnedKeys, nowMs: builder.nowMs, threads: 0 });
          // A key file says nothing that counts beside its key: other members and white space may change.
          if (kind !== '/keys/') expect(report.exitCode).toBe(1);
          JSON.stringify(report);
          formatReport(report);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('huge numbers, sizes and names in receipts are refused or named, without a crash', async () => {
    const builder = await buildEvidence({ digests: 1 });
    const key = builder.receiptKey(4);
    const note = new TextDecoder().decode(builder.bucket.objects.get(key)!.body);
    const changes: [string, string][] = [
      ['"toSequence":"', '"toSequence":"9223372036854775807'],
      ['"fromSequence":"', '"fromSequence":"18446744073709551616'],
      ['"sizeBytes":', '"sizeBytes":900719925474099'],
      ['"key":"AWSLogs', '"key":"../../../../etc/passwd/AWSLogs'],
      ['"key":"AWSLogs', '"key":"\\u0000\\u001b[2J'],
      ['"number":4', '"number":9007199254740991'],
    ];
    for (const [from, to] of changes) {
      const bucket = builder.bucket.copy();
      bucket.put(key, new TextEncoder().encode(note.replace(from, to)));
      const report = await verify({
        source: bucket.source(),
        pinnedKeys: parsePinnedKeys(builder.installation.verifierKey),
        nowMs: builder.nowMs,
        threads: 0,
      });
      expect(report.exitCode, to).toBe(1);
    }
  });

  test('signatures that are repeated, or of unknown keys only, do not pass', async () => {
    const builder = await buildEvidence({ digests: 1 });
    const key = builder.receiptKey();
    const note = new TextDecoder().decode(builder.bucket.objects.get(key)!.body);
    const line = note.slice(note.lastIndexOf('\n', note.length - 2) + 1);
    for (const changed of [note + line, note.replace(/— snowtrail\/test /, '— snowtrail/else ')]) {
      const bucket = builder.bucket.copy();
      bucket.put(key, new TextEncoder().encode(changed));
      const report = await verify({
        source: bucket.source(),
        pinnedKeys: parsePinnedKeys(builder.installation.verifierKey),
        nowMs: builder.nowMs,
        threads: 0,
      });
      expect(report.exitCode).toBe(1);
    }
  });

  test('a server that answers anything at all breaks nothing', async () => {
    const builder = await buildEvidence({ digests: 1 });
    const pinnedKeys = parsePinnedKeys(builder.installation.verifierKey);
    const cut = builder.bucket.copy();
    for (const part of ['/CloudTrail/', '/receipts/']) cut.objects.delete(cut.keys(part)[0]!);
    const operation = fc.constantFrom('ListEvidenceKeys', 'GetCheckpoint', 'GetConsistencyProof', 'GetTrailEvidence', 'GetExpirations');
    await fc.assert(
      fc.asyncProperty(operation, fc.jsonValue(), async (name, value) => {
        const callServer = builder.callServer({ [name]: () => value });
        // Nothing that it says of an expiry explains what is missing.
        const bucket = name === 'GetExpirations' ? cut : builder.bucket;
        const report = await verify({ source: bucket.source(), callServer, pinnedKeys, nowMs: builder.nowMs, threads: 0 });
        expect(report.exitCode).not.toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  test('no text becomes a state', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        expect(parseState(text)).toBeUndefined();
      }),
    );
  });
});
