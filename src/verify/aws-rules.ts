/**
 * Verifies log files and digests that no receipt speaks of, by AWS's own rules and no others.
 *
 * So it is with a bucket that AWS delivered to, and with one whose receipts were taken away. Digests are signed and
 * linked, so a change shows; but nothing says how many there should be, why a chain begins anew, or which log files may
 * lie there: the verdict is "incomplete" at best, whatever keys are pinned (reliability.md P13).
 *
 * Stricter than `aws cloudtrail validate-logs` where the files themselves allow it: links are compared with what is found,
 * a file is one gzip member, the algorithm's name is read (cloudtrail.md §3.8).
 */
import { DIGEST_SIGNATURE_ALGORITHM, type Digest } from '../digest/digest-file.ts';
import { parseDigestKey } from '../digest/digest-key.ts';
import { stringToSign } from '../digest/string-to-sign.ts';
import { versionFault } from './check-object.ts';
import type { FileFacts } from './inspect-file.ts';
import { LOG_BYTES_MAX } from './inspect-file.ts';
import { inOrder } from './job-limit.ts';
import { bucketOf } from './join-buckets.ts';
import { placeOf, prefixOf, regionOf, type ScopeId } from './layout.ts';
import { type Run, wantsRegion, wantsTime } from './run.ts';
import type { Fetched } from './source.ts';

interface ListedDigest {
  readonly key: string;
  readonly endTime: string;
  readonly isBackfill: boolean;
}

/** What the digest after says of the one before; `none` where it begins its chain, `unknown` where it cannot be told. */
interface Link {
  readonly from: string;
  readonly key: string;
  readonly hash: string;
  readonly signature: string;
}

/** @param keys All log files and digests of the scope. */
export async function verifyByAwsRules(run: Run, scope: ScopeId, keys: readonly string[]): Promise<void> {
  run.report.add({
    level: 'incomplete',
    code: 'no-receipts',
    message: `no receipt speaks of the files in \`${scope}\`: AWS's rules alone cannot show that nothing was removed or added`,
  });
  const unlisted = new Set(keys.filter((key) => placeOf(key)?.kind === 'log' && wantsRegion(run.selection, regionOf(key))));
  for (const chain of chainsOf(keys)) await verifyChain(run, chain, unlisted);
  await run.jobs.done();
  for (const key of unlisted) {
    const hasVerdict = run.report.has(key);
    if (!hasVerdict)
      run.report.file({ key, kind: 'log', verdict: 'unlisted', level: 'incomplete', code: 'not-listed', reason: 'no digest lists it' });
  }
}

/** Digests by account, Region, trail and kind, each chain newest first. */
function chainsOf(keys: readonly string[]): readonly (readonly ListedDigest[])[] {
  const chains = new Map<string, ListedDigest[]>();
  for (const key of keys) {
    const name = parseDigestKey(key);
    if (name === undefined) continue;
    const id = [prefixOf(key), name.account, name.region, name.trailName, name.homeRegion, name.isBackfill].join('|');
    const endTime = `${new Date(name.endTimeMs).toISOString().slice(0, 19)}Z`;
    const chain = chains.get(id) ?? [];
    chain.push({ key, endTime, isBackfill: name.isBackfill });
    chains.set(id, chain);
  }
  return [...chains.values()].map((chain) => chain.sort((one, other) => (one.endTime < other.endTime ? 1 : -1)));
}

async function verifyChain(run: Run, chain: readonly ListedDigest[], unlisted: Set<string>): Promise<void> {
  const { selection, source, jobs, inspector } = run;
  const wanted = chain.filter(({ key, endTime }) => wantsTime(selection, endTime, endTime) && wantsRegion(selection, regionOf(key)));
  const keys = new Set(chain.map(({ key }) => key));
  const read = inOrder(wanted, source.jobs, async (listed) => {
    const fetched = await jobs.run(0, () => source.get(listed.key, LOG_BYTES_MAX));
    const facts = fetched.kind === 'object' ? await inspector.inspect({ kind: 'digest', bytes: fetched.bytes }) : undefined;
    return { listed, fetched, facts };
  });
  let link: Link | 'none' | 'unknown' = 'unknown';
  for await (const { listed, fetched, facts } of read) {
    const known: Link | undefined = typeof link === 'string' ? undefined : link;
    if (known !== undefined && known.key !== listed.key) missingBefore(run, known, keys, true);
    else if (link === 'none')
      run.report.add({
        level: 'incomplete',
        code: 'restart',
        key: listed.key,
        message: 'the digest after it begins its chain anew, and no receipt says why',
      });
    link = verifyDigest(run, listed, fetched, facts, known?.key === listed.key ? known : undefined);
    // What a digest at another place says is about files at other places.
    if (facts?.digest !== undefined && link !== 'unknown') await verifyListed(run, listed.key, facts.digest, unlisted);
  }
  if (typeof link !== 'string' && wanted.length === chain.length) missingBefore(run, link, keys, false);
}

/** A log file that no receipt names which can be read, held against the digest that lists it. */
export async function verifyListedLog(
  run: Run,
  { key, sha256, digestKey }: { readonly key: string; readonly sha256: string; readonly digestKey: string },
): Promise<void> {
  const listing = versionFault(run, key);
  if (listing !== undefined) return run.report.file({ key, kind: 'log', verdict: 'tampered', ...listing });
  const fetched = await run.source.get(key, LOG_BYTES_MAX);
  run.progress();
  const verdict = await verdictOnLog(run, fetched, sha256);
  const reason = `\`${digestKey}\` lists it as it is; no receipt names it that can be read`;
  run.report.file({ key, kind: 'log', ...(verdict.verdict === 'valid' ? { verdict: 'unreadable', code: 'undecided', reason } : verdict) });
}

/**
 * A digest that no receipt names which can be read, held against the link to it.
 * @returns What it says, when it is the one that is linked to.
 */
export async function verifyLinkedDigest(run: Run, link: Link): Promise<Digest | undefined> {
  const { key } = link;
  const isBackfill = key.endsWith('_backfill.json.gz');
  const kind = isBackfill ? 'backfill-digest' : 'digest';
  const listing = versionFault(run, key);
  if (listing !== undefined) {
    run.report.file({ key, kind, verdict: 'tampered', ...listing });
    return undefined;
  }
  const fetched = await run.source.get(key, LOG_BYTES_MAX);
  const facts = fetched.kind === 'object' ? await run.inspector.inspect({ kind: 'digest', bytes: fetched.bytes }) : undefined;
  verifyDigest(run, { key, isBackfill }, fetched, facts, link);
  return facts?.contentSha256 === link.hash ? facts.digest : undefined;
}

function missingBefore(run: Run, link: Link, keys: ReadonlySet<string>, hasOlder: boolean): void {
  if (keys.has(link.key)) return;
  const reason = `\`${link.from}\` links to it as the digest before, and it is not there`;
  // At the old end it may have expired, or lie in another bucket: nobody can tell from here.
  run.report.file({
    key: link.key,
    kind: 'digest',
    verdict: 'missing',
    code: 'missing',
    reason,
    ...(!hasOlder && { level: 'incomplete' as const }),
  });
}

function verifyDigest(
  run: Run,
  listed: Pick<ListedDigest, 'key' | 'isBackfill'>,
  fetched: Fetched,
  facts: FileFacts | undefined,
  link: Link | undefined,
): Link | 'none' | 'unknown' {
  const { key } = listed;
  const kind = listed.isBackfill ? 'backfill-digest' : 'digest';
  const { report, trust } = run;
  run.progress();
  if (fetched.kind !== 'object' || facts === undefined) {
    if (fetched.kind === 'missing') report.file({ key, kind, verdict: 'missing', reason: 'it is not there any more' });
    else {
      const reason = fetched.kind === 'unreadable' ? `it cannot be read: ${fetched.reason}` : 'it is larger than is read';
      report.file({ key, kind, verdict: 'unreadable', reason });
    }
    return 'unknown';
  }
  const { digest } = facts;
  if (digest === undefined) {
    report.file({ key, kind, verdict: 'tampered', code: 'content', reason: `it ${facts.fault}` });
    return 'unknown';
  }
  const tampered = (code: string, reason: string) => report.file({ key, kind, verdict: 'tampered', code, reason });
  const place = { bucket: digest.digestS3Bucket, key: digest.digestS3Object };
  const isHere =
    run.source.kind === 'folder' || run.isRelocated ? sameBelowPrefix(place.key, key) : isSamePlace(place, bucketOf(run.source, key));
  if (!isHere) tampered('location', `it says that it lies at \`s3://${place.bucket}/${place.key}\``);
  if (facts.fault !== undefined) tampered('content', `it ${facts.fault}`);
  if (fetched.metadata !== undefined && fetched.metadata['signature-algorithm'] !== DIGEST_SIGNATURE_ALGORITHM)
    tampered('algorithm', `its metadata \`signature-algorithm\` is not \`${DIGEST_SIGNATURE_ALGORITHM}\``);
  if (link !== undefined && link.hash !== facts.contentSha256) tampered('link', `\`${link.from}\` links to another content of it`);

  // A copied folder keeps no metadata; the digest after carries the signature, too.
  const signature = fetched.metadata?.['signature'] ?? link?.signature;
  if (fetched.metadata !== undefined && link !== undefined && signature !== link.signature)
    tampered('link', `\`${link.from}\` links to another signature of it`);
  const incomplete = (code: string, reason: string) => report.file({ key, kind, verdict: 'unreadable', code, reason });
  if (signature === undefined)
    incomplete('signature-unknown', 'its signature is not known: a copied folder keeps none, and no digest follows');
  else {
    const message = stringToSign(digest, place, facts.contentSha256!);
    const verdict = trust.verifyDigest(digest.digestPublicKeyFingerprint, message, signature);
    if (verdict === 'bad-signature') tampered('signature', `its signature is not right under key \`${digest.digestPublicKeyFingerprint}\``);
    else if (verdict === 'unknown-key' && trust.isDigestKeyDue)
      tampered('digest-key', `it is signed by key \`${digest.digestPublicKeyFingerprint}\`, which is not pinned`);
    else if (verdict === 'unknown-key') incomplete('digest-key', `its public key \`${digest.digestPublicKeyFingerprint}\` is not known`);
  }
  if (!report.has(key)) report.file({ key, kind, verdict: 'valid' });
  if (!isHere) return 'unknown';
  if (digest.previousDigestS3Object === null) return 'none';
  const previous = keyBeside(run, digest.previousDigestS3Object, key);
  return { from: key, key: previous, hash: digest.previousDigestHashValue!, signature: digest.previousDigestSignature! };
}

async function verifyListed(run: Run, from: string, digest: Digest, unlisted: Set<string>): Promise<void> {
  for (const file of digest.logFiles) {
    const key = keyBeside(run, file.s3Object, from);
    unlisted.delete(key);
    await run.jobs.add(0, async () => {
      const fetched = await run.source.get(key, LOG_BYTES_MAX);
      run.progress();
      const verdict = await verdictOnLog(run, fetched, file.hashValue);
      run.report.file({ key, kind: 'log', ...verdict });
    });
  }
}

async function verdictOnLog(
  run: Run,
  fetched: Fetched,
  hash: string,
): Promise<{ verdict: 'valid' | 'missing' | 'tampered' | 'unreadable'; code?: string; reason?: string }> {
  if (fetched.kind === 'missing') return { verdict: 'missing', reason: 'it is not there, though a digest lists it' };
  if (fetched.kind === 'unreadable') return { verdict: 'unreadable', reason: `it cannot be read: ${fetched.reason}` };
  if (fetched.kind === 'too-large') return { verdict: 'unreadable', reason: 'it is larger than is read' };
  const facts = await run.inspector.inspect({ kind: 'log', bytes: fetched.bytes });
  if (facts.fault !== undefined) return { verdict: 'tampered', code: 'content', reason: `it ${facts.fault}` };
  if (facts.contentSha256 !== hash) return { verdict: 'tampered', code: 'content', reason: 'its content is not what its digest lists' };
  return { verdict: 'valid' };
}

function isSamePlace(one: { readonly bucket: string; readonly key: string }, other: ReturnType<typeof bucketOf>): boolean {
  return one.bucket === other.bucket && one.key === other.key;
}

/** Where an object lies in the source: in the bucket of the file that speaks of it, or the copy of it. */
function keyBeside({ source, isRelocated }: Run, key: string, from: string): string {
  if (source.kind === 'folder' || isRelocated) return relocate(key, from);
  return `${from.slice(0, from.length - bucketOf(source, from).key.length)}${key}`;
}

/** The key at which an object lies in a copy: below the prefix of the file that speaks of it. */
function relocate(key: string, from: string): string {
  const prefix = prefixOf(key);
  return prefix === undefined ? key : `${prefixOf(from) ?? ''}${key.slice(prefix.length)}`;
}

function sameBelowPrefix(one: string, other: string): boolean {
  return relocate(one, other) === other;
}
