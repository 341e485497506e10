/**
 * Our own verifier over a bucket of the simulation, with the running server to hold it against.
 */

import type { VerifyReport } from '../../src/verify/report.ts';
import type { EvidenceSource } from '../../src/verify/source.ts';
import { verify } from '../../src/verify/verify.ts';
import type { Client } from './client.ts';
import type { Life } from './life.ts';
import type { TrailModel } from './trail-model.ts';
import type { World } from './world.ts';

/** @returns the report; `undefined` when the server died meanwhile. */
export async function verifyBucket(world: World, client: Client, life: Life, trail: TrailModel): Promise<VerifyReport | undefined> {
  const report = await verify({
    source: bucketOf(world, trail),
    callServer: async (operation, input) => {
      const outcome = await client.call(life, trail.account, operation, input as Record<string, string>, trail.region);
      if (outcome.kind === 'answer') return outcome.output;
      throw Object.assign(new Error(`${operation} is not answered`), { name: outcome.kind === 'refused' ? outcome.code : 'Error' });
    },
    threads: 0,
    nowMs: world.nowMs(),
  });
  return life.isDead ? undefined : report;
}

/** What is wrong by the report, in one line. */
export function faultsOf({ verdict, findings, files }: VerifyReport): string {
  const named = findings
    .filter(({ level }) => level === 'tampered' || level === 'incomplete')
    .map(({ code, message, key = '' }) => `${code} ${key} ${message}`);
  const wrong = files.filter(({ verdict: each }) => each !== 'valid' && each !== 'pending').map(({ key, reason }) => `${key}: ${reason}`);
  return [verdict, ...named, ...wrong].slice(0, 6).join('; ');
}

/** The bucket behind everybody's back: it answers whatever happens to the server. */
function bucketOf({ objects }: World, { bucket }: TrailModel): EvidenceSource {
  return {
    name: `s3://${bucket}`,
    kind: 'bucket',
    bucket,
    jobs: 4,
    async *list() {
      for (let after: string | undefined, isMore = true; isMore; ) {
        const page = await objects.list(bucket, { limit: 1_000, ...(after === undefined ? {} : { after }) });
        for (const { key, sizeBytes } of page.objects) yield { key, sizeBytes, isPresent: true, contents: 1 };
        after = page.next;
        isMore = after !== undefined;
      }
    },
    async get(key, bytesMax) {
      const found = await objects.get(bucket, key as Parameters<typeof objects.get>[1]);
      if (found === undefined) return { kind: 'missing' };
      if (found.info.sizeBytes > bytesMax) return { kind: 'too-large' };
      const pieces: Uint8Array[] = [];
      for await (const piece of found.body) pieces.push(piece);
      return { kind: 'object', bytes: Buffer.concat(pieces), metadata: found.info.metadata };
    },
    versionsUnknown: () => ({ kind: 'none', reason: 'the buckets of the simulation keep no versions' }),
  };
}
