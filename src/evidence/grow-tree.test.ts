import { createPublicKey, verify } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { EvidenceRig, NOW_MS, ORIGIN, sha256 } from '../../test/support/evidence-rig.ts';
import { parseCheckpoint } from '../tlog/checkpoint.ts';
import { hashEntry } from '../tlog/leaf.ts';
import { parseNote, type VerifyEd25519, verifyNote } from '../tlog/note.ts';
import { verifyConsistency, verifyInclusion } from '../tlog/tree.ts';
import { CannotSign, createTreeFollower, type SignedCheckpoint, type TreeFollower } from './grow-tree.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** A rig whose tree holds `count` signed events. */
async function signedRig(count: number): Promise<{ rig: EvidenceRig; tree: TreeFollower; checkpoint: SignedCheckpoint }> {
  const rig = new EvidenceRig();
  const tree = await rig.open();
  await rig.appendEvents(count);
  await rig.catchUp(tree);
  return { rig, tree, checkpoint: (await tree.checkpointNow())! };
}

const verifyEd25519: VerifyEd25519 = (publicKey, message, signature) => {
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey).toString('base64url') }, format: 'jwk' });
  return verify(null, message, key, signature);
};

describe('the evidence tree', () => {
  test('has a leaf for each entry, proved in a checkpoint that the key signed', async () => {
    const { rig, tree, checkpoint } = await signedRig(300);
    const note = parseNote(checkpoint.note);
    if (note.kind !== 'ok') throw new Error(note.reason);
    const keys = (await rig.keys.list('checkpoint')).map((key) => ({ name: ORIGIN, keyHash: key.fingerprint, publicKey: key.publicKey }));
    expect(verifyNote(note.value, keys, verifyEd25519)).toEqual({ kind: 'signed', by: keys });
    expect(parseCheckpoint(note.value.text)).toEqual({
      kind: 'ok',
      value: { origin: ORIGIN, size: 300n, root: Uint8Array.from(checkpoint.root) },
    });
    for (const entry of rig.journal.entries) {
      const claim = { leafHash: hashEntry(sha256, entry), index: entry.sequence - 1n, size: 300n, root: checkpoint.root };
      expect(verifyInclusion(sha256, claim, await tree.inclusion(entry.sequence, 300n))).toBe(true);
    }
  });

  test('each checkpoint is consistent with the one before', async () => {
    const { rig, tree, checkpoint } = await signedRig(5);
    let before = checkpoint;
    for (const count of [1, 2, 250, 700]) {
      await rig.appendEvents(count);
      await rig.catchUp(tree);
      const next = (await tree.checkpointNow())!;
      const claim = { fromSize: before.size, fromRoot: before.root, toSize: next.size, toRoot: next.root };
      expect(verifyConsistency(sha256, claim, await tree.consistency(before.size, next.size))).toBe(true);
      before = next;
    }
  });

  test('holds an entry at the place of its sequence, and no other one there', async () => {
    const { rig, tree } = await signedRig(3);
    const [first, second] = rig.journal.entries;
    expect(await tree.holds(second!)).toBe(true);
    expect(await tree.holds({ ...first!, sequence: second!.sequence })).toBe(false);
    await expect(tree.holds({ ...first!, sequence: 4n })).rejects.toThrow(RangeError);
  });

  test('takes a repeat as nothing, and refuses a gap', async () => {
    const { rig, tree } = await signedRig(10);
    expect(await tree.take(rig.journal.entries.slice(3))).toBe(10n);
    await rig.appendEvents(3);
    expect(await tree.take(rig.journal.entries.slice(8, 12))).toBe(12n);
    await rig.appendEvents(3);
    await expect(tree.take(rig.journal.entries.slice(13))).rejects.toThrow('does not follow');
    expect(tree.cursor()).toBe(12n);
  });

  test('signs nothing anew while nothing is new, and nothing at all over no leaf', async () => {
    const { tree, checkpoint } = await signedRig(10);
    expect(await tree.checkpointNow()).toBe(checkpoint);
    expect(await (await new EvidenceRig().open()).checkpointNow()).toBe(undefined);
  });

  test('signs the same tree again under a new key', async () => {
    const { rig, tree, checkpoint } = await signedRig(10);
    await rig.keys.rotate('checkpoint', rig.clock.nowMs());
    const again = (await tree.checkpointNow())!;
    expect([again.size, again.root]).toEqual([checkpoint.size, checkpoint.root]);
    expect(again.note).not.toBe(checkpoint.note);
  });

  test('proofs beyond the leaves are refused', async () => {
    const { tree } = await signedRig(10);
    for (const proof of [
      tree.consistency(1n, 11n),
      tree.consistency(5n, 4n),
      tree.consistency(-1n, 4n),
      tree.inclusion(11n, 11n),
      tree.inclusion(0n, 10n),
    ])
      await expect(proof).rejects.toThrow(RangeError);
  });

  test('is refused with keys that were made for another log', async () => {
    const rig = new EvidenceRig();
    const tree = await createTreeFollower({ ...rig, hashes: rig.hashes, origin: 'snowtrail/other' });
    await rig.appendEvents(1);
    await rig.catchUp(tree);
    await expect(tree.checkpointNow()).rejects.toThrow('another log');
  });
});

describe('after a restart', () => {
  test('the last checkpoint is there, and the tree grows on', async () => {
    const { rig, checkpoint } = await signedRig(10);
    await rig.appendEvents(10);
    const tree = await rig.open();
    expect(tree.latestCheckpoint()).toEqual(checkpoint);
    await rig.catchUp(tree);
    const next = (await tree.checkpointNow())!;
    const claim = { fromSize: 10n, fromRoot: checkpoint.root, toSize: 20n, toRoot: next.root };
    expect(verifyConsistency(sha256, claim, await tree.consistency(10n, 20n))).toBe(true);
  });

  test('leaves that a power cut took come again from the journal, with the same root', async () => {
    const { rig, tree, checkpoint } = await signedRig(10);
    await rig.appendEvents(20);
    await rig.catchUp(tree);
    rig.hashes.losePower();
    const again = await rig.open();
    expect([again.cursor(), again.latestCheckpoint()]).toEqual([10n, checkpoint]);
    await rig.catchUp(again);
    expect((await again.checkpointNow())!.size).toBe(30n);
  });

  test('hashes that were lost altogether are built anew, and nothing shorter is signed meanwhile', async () => {
    const { rig, checkpoint } = await signedRig(10);
    rig.loseHashes();
    const tree = await rig.open();
    await tree.take(rig.journal.entries.slice(0, 5));
    expect(await tree.checkpointNow()).toEqual(checkpoint);
    await rig.catchUp(tree);
    expect(await tree.checkpointNow()).toEqual(checkpoint);
    expect(rig.hashes.size()).toBe(10n);
  });
});

describe('an older copy that was put back', () => {
  const refused = async (tree: TreeFollower, rig: EvidenceRig, reason: RegExp) => {
    await expect(tree.checkpointNow()).rejects.toThrow(CannotSign);
    await expect(tree.checkpointNow()).rejects.toThrow(reason);
    await rig.appendEvents(100);
    await expect(tree.take(rig.journal.entries.slice(Number(tree.cursor())))).rejects.toThrow(CannotSign);
  };

  test('is found when the journal is shorter than the last checkpoint', async () => {
    const { rig } = await signedRig(10);
    rig.journal.entries.length = 9;
    rig.loseHashes();
    await refused(await rig.open(), rig, /holds 9 entries, and a checkpoint over 10 was signed/);
  });

  test('is found when the journal is shorter than the tree', async () => {
    const { rig, tree } = await signedRig(10);
    await rig.appendEvents(5);
    await rig.catchUp(tree);
    rig.journal.entries.length = 12;
    await refused(await rig.open(), rig, /holds 12 entries, and the tree 15 leaves/);
  });

  test('is found when the journal went another way after it', async () => {
    const { rig } = await signedRig(10);
    rig.journal.entries.length = 9;
    await rig.appendEvents(5);
    await refused(await rig.open(), rig, /entry 10 of the journal is not the one in the tree/);
  });

  test('is found when the tree is built anew from a journal with one other entry', async () => {
    const { rig } = await signedRig(40);
    const [changed] = rig.journal.entries.splice(6, 1);
    rig.journal.entries.splice(6, 0, { ...changed!, bytes: new TextEncoder().encode('{}') });
    rig.loseHashes();
    const tree = await rig.open();
    await rig.catchUp(tree);
    await refused(tree, rig, /the first 40 entries are not the ones that were signed/);
  });

  test('shows the last checkpoint all the same', async () => {
    const { rig, checkpoint } = await signedRig(10);
    rig.journal.entries.length = 3;
    rig.loseHashes();
    expect((await rig.open()).latestCheckpoint()).toEqual(checkpoint);
  });
});

describe('the clock', () => {
  test.each([
    ['1970', -NOW_MS],
    ['2038', Date.UTC(2038, 0, 20) - NOW_MS],
    ['2100', Date.UTC(2100, 0, 1) - NOW_MS],
  ])('at %s is refused at a start, and accepted again when it is right', async (year, offsetMs) => {
    const { rig } = await signedRig(10);
    rig.clock.jump(offsetMs);
    const tree = await rig.open();
    await rig.appendEvents(5);
    await rig.catchUp(tree);
    await expect(tree.checkpointNow()).rejects.toThrow(CannotSign);
    await expect(tree.checkpointNow()).rejects.toThrow(new RegExp(`the clock says \`${year}.*valid from`));
    expect(tree.cursor()).toBe(15n);
    rig.clock.jump(-offsetMs);
    expect((await tree.checkpointNow())!.size).toBe(15n);
  });

  test('before the last checkpoint is refused at a start, until it has passed it', async () => {
    const { rig } = await signedRig(10);
    rig.clock.jump(-2 * HOUR_MS);
    const tree = await rig.open();
    await rig.appendEvents(1);
    await rig.catchUp(tree);
    await expect(tree.checkpointNow()).rejects.toThrow(/the last checkpoint was signed at 2026-01-02T03:04:05/);
    rig.clock.pass(2 * HOUR_MS);
    expect((await tree.checkpointNow())!.size).toBe(11n);
  });

  test('that was wrong when the last checkpoint was signed is set right by rotating the key', async () => {
    const rig = new EvidenceRig();
    rig.clock.jump(300 * DAY_MS);
    const before = await rig.open();
    await rig.appendEvents(1);
    await rig.catchUp(before);
    await before.checkpointNow();
    rig.clock.jump(-300 * DAY_MS);
    const tree = await rig.open();
    await rig.appendEvents(1);
    await rig.catchUp(tree);
    await expect(tree.checkpointNow()).rejects.toThrow(/rotate-key checkpoint/);
    await rig.keys.rotate('checkpoint', rig.clock.nowMs());
    expect((await tree.checkpointNow())!.size).toBe(2n);
  });

  test('may jump by days and back while the server runs: signing goes on', async () => {
    const { rig, tree } = await signedRig(1);
    for (const jumpMs of [3 * DAY_MS, -3 * DAY_MS, -2 * HOUR_MS]) {
      rig.clock.jump(jumpMs);
      await rig.appendEvents(1);
      await rig.catchUp(tree);
      expect((await tree.checkpointNow())!.size).toBe(rig.journal.head());
    }
  });
});

describe('saving a checkpoint', () => {
  test('one that is not saved is not shown', async () => {
    const { rig, tree, checkpoint } = await signedRig(5);
    await rig.appendEvents(1);
    await rig.catchUp(tree);
    rig.catalog.nextFailure = 'before';
    await expect(tree.checkpointNow()).rejects.toThrow('before the commit');
    expect(tree.latestCheckpoint()).toBe(checkpoint);
    expect((await tree.checkpointNow())!.size).toBe(6n);
  });

  test('one that was saved though the catalog failed is no other process', async () => {
    const { rig, tree } = await signedRig(5);
    await rig.appendEvents(1);
    await rig.catchUp(tree);
    rig.catalog.nextFailure = 'after';
    await expect(tree.checkpointNow()).rejects.toThrow('after the commit');
    await rig.appendEvents(1);
    await rig.catchUp(tree);
    expect((await tree.checkpointNow())!.size).toBe(7n);
    expect((await rig.open()).latestCheckpoint()!.size).toBe(7n);
  });

  test('a second process on the same data is found by the one that comes later', async () => {
    const { rig, tree } = await signedRig(5);
    const second = await rig.open();
    await rig.appendEvents(1);
    await rig.catchUp(tree);
    await tree.checkpointNow();
    await expect(second.checkpointNow()).rejects.toThrow(/another process signs/);
  });

  test('calls at one time sign one after the other', async () => {
    const { rig, tree } = await signedRig(5);
    await rig.appendEvents(3);
    await rig.catchUp(tree);
    const signed = await Promise.all([tree.checkpointNow(), tree.checkpointNow(), tree.checkpointNow()]);
    expect(signed.map((each) => each?.note)).toEqual(Array(3).fill(tree.latestCheckpoint()!.note));
  });
});

describe('while it runs', () => {
  test('a checkpoint is signed each second in which the tree grew, and trouble is reported once', async () => {
    const rig = new EvidenceRig();
    const tree = await rig.open();
    const stop = new AbortController();
    const reports: (string | undefined)[] = [];
    const running = tree.run(stop.signal, (problem) => reports.push(problem?.message));
    const second = async () => {
      await rig.clock.someoneSleeps();
      rig.clock.pass(1_000);
      await rig.clock.someoneSleeps();
      return tree.latestCheckpoint()?.size;
    };
    const grow = async () => {
      await rig.appendEvents(1);
      await rig.catchUp(tree);
    };
    const sizes: (bigint | undefined)[] = [await second()];
    await grow();
    sizes.push(await second(), await second());
    rig.clock.jump(-NOW_MS);
    await grow();
    sizes.push(await second(), await second());
    rig.clock.jump(NOW_MS);
    sizes.push(await second());
    expect(sizes).toEqual([undefined, 1n, 1n, 1n, 1n, 2n]);
    expect(reports).toEqual([expect.stringContaining('the clock says'), undefined]);
    stop.abort();
    await running;
  });
});
