/**
 * Holds what the receipts say against what is known from elsewhere: trusted keys, the server's checkpoint, the state.
 *
 * Comes last, when the keys of all trails are known. One signature on the newest receipt of an unbroken run vouches for
 * the whole run; its checkpoint is shown to be the beginning of the server's by a consistency proof.
 */
import { type Checkpoint, parseCheckpointNote } from '../tlog/checkpoint.ts';
import type { Note } from '../tlog/note.ts';
import { toBase64 } from '../tlog/text.ts';
import { verifyConsistency } from '../tlog/tree.ts';
import { bucketOf } from './join-buckets.ts';
import { followKeys, type KeyLink } from './key-link.ts';
import type { CheckpointReport, FindingLevel } from './report.ts';
import type { Run } from './run.ts';
import type { ServerEvidence, ServerKeys } from './server-evidence.ts';
import { checkpointOf, type LogState, type TrailState, type VerifyState } from './state-file.ts';
import { sha256 } from './trust.ts';
import type { TrailResult } from './verify-trail.ts';

/** How late the next digest may be, beside two of its intervals, before a bucket counts as stale. */
const STALE_AFTER_MS = 15 * 60 * 1000;

export interface Held {
  readonly checkpoints: readonly CheckpointReport[];
  /** What the next run is to know, if the verdict is 0. */
  readonly nextState: VerifyState;
}

export interface ToHold {
  readonly results: readonly TrailResult[];
  /** Trails that were not asked for: nothing but their signatures counts. */
  readonly aside: readonly TrailResult[];
  readonly state: VerifyState;
  readonly server: ServerEvidence | undefined;
  /** Key statements that the server passes on; checked as any other. */
  readonly serverKeys: Pick<ServerKeys, 'links' | 'unknown'>;
}

/** A checkpoint with its note. */
interface Signed {
  readonly text: string;
  readonly checkpoint: Checkpoint;
  readonly from: CheckpointReport['from'];
}

export async function holdAgainst(run: Run, { results, aside, state, server, serverKeys }: ToHold): Promise<Held> {
  const all = [...results, ...aside];
  const links = [...serverKeys.links, ...all.flatMap(({ keyLinks }) => keyLinks)];
  followKeys(run.trust, links);
  doubtKeys(run, links, [...serverKeys.unknown, ...all.flatMap(({ unknownNotes }) => unknownNotes)]);
  // A trail whose receipts nobody signed could claim forged log files as its own: those aside are checked, too.
  for (const result of all) checkAnchors(run, result);
  const carried = newestCarried(run, results);
  if (!run.trust.hasTrustedKey && results.length > 0) {
    const message = 'no key to hold it against: pin one with --public-key, ask the server, or give a state file of an earlier run';
    run.report.add({ level: 'incomplete', code: 'no-key', message });
  }
  const fromServer = server === undefined ? undefined : await checkServer(run, server, results, state);
  for (const log of state.logs) checkState(run, log, { results, trails: state.trails, fromServer });
  if (server === undefined) for (const result of results) checkFreshness(run, result);

  const newest = new Map<string, Signed>(carried);
  for (const log of state.logs) keepNewer(newest, { text: log.checkpoint, checkpoint: checkpointOf(log), from: 'state' });
  if (fromServer !== undefined) keepNewer(newest, fromServer);
  const missing = results.filter(({ chain }) => chain.newestCheckpoint === undefined);
  if (results.length > 0 && newest.size === 0 && missing.length > 0)
    run.report.add({ level: 'incomplete', code: 'no-checkpoint', message: 'no checkpoint to hold it against: no receipt carries one yet' });
  return {
    checkpoints: [...newest.values()].map(({ checkpoint: { origin, size, root }, from }) => ({
      origin,
      size: `${size}`,
      root: toBase64(root),
      from,
    })),
    nextState: nextState(run, results, state, newest),
  };
}

/** Finds the keys for which a trusted key vouches in something of a version that is not known here, and those that go on from there. */
function doubtKeys({ trust }: Run, links: readonly KeyLink[], unknown: readonly { readonly note: Note }[]): void {
  for (const { note } of unknown) {
    if (trust.verify(note).kind === 'signed') for (const { keyHash } of note.signatures) trust.doubt(keyHash);
  }
  let isNews = true;
  while (isNews) {
    isNews = false;
    for (const { note, key } of links) if (trust.isDoubted(note) && trust.doubt(key.keyHash)) isNews = true;
  }
}

function checkAnchors(run: Run, { chain, unreadableFrom, report: { trailARN } }: TrailResult): void {
  const { trust, report } = run;
  for (const { number, key, note } of chain.anchors) {
    const fault = faultOfNote(run, note);
    if (fault === undefined) continue;
    const isDoubted = fault.code === 'untrusted-key' && (number > unreadableFrom || trust.isDoubted(note));
    const reason = isDoubted ? `${fault.reason}; what cannot be read may vouch for it` : fault.reason;
    report.file({ key, kind: 'receipt', verdict: isDoubted ? 'unreadable' : 'tampered', trailARN, ...fault, reason });
  }
  const newest = chain.newestCheckpoint;
  if (newest === undefined) return;
  const verdict = trust.verify(newest.note);
  const names = verdict.kind === 'signed' ? verdict.by.map(({ name }) => name) : [];
  if (
    verdict.kind === 'bad-signature' ||
    (verdict.kind === 'signed' && !names.includes(newest.checkpoint.origin)) ||
    (verdict.kind === 'no-known-key' && trust.hasTrustedKey)
  )
    report.file({
      key: newest.key,
      kind: 'receipt',
      verdict:
        verdict.kind === 'no-known-key' && (unreadableFrom < Number.POSITIVE_INFINITY || trust.isDoubted(newest.note))
          ? 'unreadable'
          : 'tampered',
      code: 'checkpoint-signature',
      reason: 'the checkpoint in it is not signed by a key that is trusted',
      trailARN,
    });
}

function faultOfNote({ trust }: Run, note: Note): { readonly code: string; readonly reason: string } | undefined {
  const verdict = trust.verify(note);
  if (verdict.kind === 'signed') return undefined;
  if (verdict.kind === 'bad-signature')
    return { code: 'receipt-signature', reason: `its signature by \`${verdict.key.name}\` is not right` };
  if (trust.hasTrustedKey)
    return { code: 'untrusted-key', reason: 'it is signed by no key that is trusted, or that a trusted key vouches for' };
  // Nobody is trusted: at least the signature must be right under the key that lies beside the receipts.
  const untrusted = trust.verifyUntrusted(note);
  if (untrusted.kind !== 'bad-signature') return undefined;
  return { code: 'receipt-signature', reason: `its signature is not right under the key of \`${untrusted.key.name}\` that lies beside it` };
}

/** The newest checkpoint of each log that receipts carry. Trails of one log must not carry two histories. */
function newestCarried({ report }: Run, results: readonly TrailResult[]): ReadonlyMap<string, Signed> {
  const newest = new Map<string, Signed>();
  for (const {
    chain,
    report: { trailARN },
  } of results) {
    const carried = chain.newestCheckpoint;
    if (carried === undefined) continue;
    const { text, checkpoint, key } = carried;
    const other = newest.get(checkpoint.origin);
    if (other !== undefined && other.checkpoint.size === checkpoint.size && toBase64(other.checkpoint.root) !== toBase64(checkpoint.root))
      report.file({
        key,
        kind: 'receipt',
        verdict: 'tampered',
        code: 'fork',
        reason: `another trail's receipt carries a checkpoint of ${checkpoint.size} leaves with another root`,
        trailARN,
      });
    keepNewer(newest, { text, checkpoint, from: 'evidence' });
  }
  return newest;
}

function keepNewer(newest: Map<string, Signed>, signed: Signed): void {
  const before = newest.get(signed.checkpoint.origin);
  if (before === undefined || before.checkpoint.size <= signed.checkpoint.size) newest.set(signed.checkpoint.origin, signed);
}

/** The server's newest checkpoint must be signed, and continue what the receipts and the state carry. */
async function checkServer(
  run: Run,
  server: ServerEvidence,
  results: readonly TrailResult[],
  state: VerifyState,
): Promise<Signed | undefined> {
  const { trust, report } = run;
  const add = (level: FindingLevel, code: string, message: string) => report.add({ level, code, message });
  let text: string | undefined;
  try {
    text = await server.checkpoint();
  } catch (error) {
    add('incomplete', 'server', `the server does not give its checkpoint: ${(error as Error).message}`);
    return undefined;
  }
  if (text === undefined) {
    add(
      results.some(({ chain }) => chain.newestCheckpoint !== undefined) ? 'tampered' : 'incomplete',
      'rollback',
      'the server has no checkpoint',
    );
    return undefined;
  }
  const parsed = parseCheckpointNote(text);
  if (parsed.kind === 'malformed') {
    add('incomplete', 'server', 'the server answered with a checkpoint that is none');
    return undefined;
  }
  const { note, checkpoint } = parsed.value;
  const verdict = trust.verify(note);
  if (verdict.kind !== 'signed' || !verdict.by.some(({ name }) => name === checkpoint.origin)) {
    const isDoubted = verdict.kind === 'no-known-key' && trust.isDoubted(note);
    if (trust.hasTrustedKey)
      add(isDoubted ? 'incomplete' : 'tampered', 'server-checkpoint', `the server's checkpoint is signed by no key that is trusted`);
    return undefined;
  }
  const signed: Signed = { text, checkpoint, from: 'server' };
  for (const {
    chain,
    report: { trailARN },
  } of results) {
    const carried = chain.newestCheckpoint;
    if (carried === undefined) continue;
    if (carried.checkpoint.origin !== signed.checkpoint.origin) {
      report.add({
        level: 'incomplete',
        code: 'other-log',
        message: `its receipts are of the log \`${carried.checkpoint.origin}\`, the server's is \`${signed.checkpoint.origin}\``,
        trailARN,
      });
      continue;
    }
    await checkContinues(run, server, carried.checkpoint, signed.checkpoint, `the newest receipt of \`${trailARN}\``);
  }
  for (const log of state.logs.filter(({ origin }) => origin === signed.checkpoint.origin)) {
    await checkContinues(run, server, checkpointOf(log), signed.checkpoint, 'the state file');
  }
  return signed;
}

async function checkContinues({ report }: Run, server: ServerEvidence, from: Checkpoint, to: Checkpoint, what: string): Promise<void> {
  if (to.size < from.size) {
    const message = `the server's checkpoint has ${to.size} leaves, ${what} knows one of ${from.size}: the server was rolled back`;
    report.add({ level: 'tampered', code: 'rollback', message });
    return;
  }
  let proof: readonly Uint8Array[];
  try {
    proof = await server.consistencyProof(from.size, to.size);
  } catch (error) {
    report.add({ level: 'incomplete', code: 'server', message: `the server gives no consistency proof: ${(error as Error).message}` });
    return;
  }
  const claim = { fromSize: from.size, fromRoot: from.root, toSize: to.size, toRoot: to.root };
  if (!verifyConsistency(sha256, claim, proof))
    report.add({
      level: 'tampered',
      code: 'fork',
      message: `the server's checkpoint of ${to.size} leaves does not continue the one of ${from.size} in ${what}`,
    });
}

/**
 * Offline: the saved checkpoint must be one that a receipt carries, or there must be no receipt that is newer than the
 * run that saved it (which has shown that the checkpoint continues the receipts of the time).
 */
function checkState(
  { report }: Run,
  log: LogState,
  known: { readonly results: readonly TrailResult[]; readonly trails: readonly TrailState[]; readonly fromServer: Signed | undefined },
): void {
  if (known.fromServer?.checkpoint.origin === log.origin) return;
  const saved = checkpointOf(log);
  const ofLog = known.results.filter(({ chain }) => chain.newestCheckpoint?.checkpoint.origin === log.origin);
  const isMet = ofLog.some(({ chain }) => chain.hasMet(saved));
  const isSeen = ({ report: { trailARN, newestReceipt } }: TrailResult) =>
    known.trails.some((trail) => trail.trailARN === trailARN && trail.number === newestReceipt?.number);
  if (isMet || ofLog.every(isSeen)) return;
  const message = `the saved checkpoint of ${saved.size} leaves lies between two receipts; only the server can show that they agree`;
  report.add({ level: 'incomplete', code: 'state-between', message });
}

/** Digests come each interval, even empty ones. A bucket where they stopped without a `stop` has lost its newest part. */
function checkFreshness({ source, report, nowMs }: Run, { chain, newestInterval, report: { trailARN } }: TrailResult): void {
  if (source.kind !== 'bucket' || !chain.isLogging || newestInterval === undefined) return;
  const { endMs, lengthMs } = newestInterval;
  if (nowMs <= endMs + 2 * lengthMs + STALE_AFTER_MS) return;
  const message = `the evidence ends at ${new Date(endMs).toISOString()}, though logging was not stopped: what came later is not here`;
  report.add({ level: 'incomplete', code: 'stale', message, trailARN });
}

function nextState(
  { trust, source }: Run,
  results: readonly TrailResult[],
  state: VerifyState,
  newest: ReadonlyMap<string, Signed>,
): VerifyState {
  const logs = [...newest.values()].map(({ text, checkpoint: { origin } }) => ({
    origin,
    checkpoint: text,
    keys: trust.trustedKeys().filter(({ name }) => name === origin),
  }));
  const trails = new Map<string, TrailState>(state.trails.map((trail) => [trail.trailARN, trail]));
  for (const { report, scope } of results) {
    const { trailARN, newestReceipt } = report;
    if (newestReceipt === null) continue;
    const { number, sha256: sha } = newestReceipt;
    const { bucket = null, key } = bucketOf(source, scope);
    trails.set(trailARN, { trailARN, number, sha256: sha, bucket, scope: key });
  }
  return { logs, trails: [...trails.values()] };
}
