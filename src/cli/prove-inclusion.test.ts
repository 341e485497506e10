import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { encodeCheckpoint } from '../tlog/checkpoint.ts';
import { hashNode } from '../tlog/hash.ts';
import { hashEntry } from '../tlog/leaf.ts';
import { formatNote, formatNoteKey, keyHash } from '../tlog/note.ts';
import { toBase64, utf8 } from '../tlog/text.ts';
import { checkInclusion, type ProvedEvent, type TrustedKey } from './prove-inclusion.ts';

const ORIGIN = 'snowtrail/test';
const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

const EVENT: ProvedEvent = {
  Sequence: '2',
  ReceivedAt: '2026-11-20T14:00:00.000Z',
  AccountId: '111122223333',
  EventId: 'e-2',
  Nonce: toBase64(new Uint8Array(16).fill(7)),
  Record: '{"eventName":"DeleteBucket"}',
};

function leafOf(event: ProvedEvent): Uint8Array {
  return hashEntry(sha256, {
    kind: 'event',
    sequence: BigInt(event.Sequence),
    receivedAtMs: Date.parse(event.ReceivedAt),
    account: event.AccountId,
    id: event.EventId,
    nonce: new Uint8Array(16).fill(7),
    bytes: utf8(event.Record),
  });
}

function newKey(): { readonly secret: KeyObject; readonly trusted: TrustedKey } {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const bytes = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }).subarray(-32));
  const key = { name: ORIGIN, keyHash: keyHash(sha256, ORIGIN, bytes), publicKey: bytes };
  return { secret: privateKey, trusted: { key, line: formatNoteKey(key) } };
}

/** A tree of two leaves, of which the event is the second, signed by `signer`. */
function prove(signer: ReturnType<typeof newKey>, change: (root: Uint8Array) => Uint8Array = (root) => root) {
  const first = sha256(utf8('another leaf'));
  const text = encodeCheckpoint({ origin: ORIGIN, size: 2n, root: change(hashNode(sha256, first, leafOf(EVENT))) });
  const { name, keyHash: hash } = signer.trusted.key;
  const signature = new Uint8Array(sign(null, utf8(text), signer.secret));
  return {
    Sequence: '2',
    LeafIndex: '1',
    LeafText: '',
    TreeSize: '2',
    Checkpoint: formatNote(text, [{ name, keyHash: hash, signature }]),
    Hashes: [toBase64(first)],
  };
}

describe('checkInclusion', () => {
  let signer: ReturnType<typeof newKey>;
  beforeAll(() => {
    signer = newKey();
  });

  test('an event whose bytes lead to a root that a trusted key signed is proved', () => {
    const check = checkInclusion(EVENT, prove(signer), [signer.trusted]);
    expect({ ...check, LeafHash: '', RootHash: '', Checkpoint: '', Hashes: [] }).toEqual({
      Sequence: '2',
      LeafIndex: '1',
      LeafText: '',
      TreeSize: '2',
      Checkpoint: '',
      Hashes: [],
      LeafHash: '',
      RootHash: '',
      SignedBy: [signer.trusted.line],
      IsVerified: true,
    });
  });

  test.each([
    ['a byte of the record', { Record: '{"eventName":"DeleteBuckeT"}' }],
    ['the account', { AccountId: '111122223334' }],
    ['the id', { EventId: 'e-3' }],
    ['the time of receipt', { ReceivedAt: '2026-11-20T14:00:00.001Z' }],
    ['the place', { Sequence: '1' }],
    ['the nonce', { Nonce: toBase64(new Uint8Array(16).fill(8)) }],
  ])('%s changed: not proved', (_, change) => {
    const check = checkInclusion({ ...EVENT, ...change }, prove(signer), [signer.trusted]);
    expect([check.IsVerified, check.Problem]).toEqual([false, "the path from the event's bytes does not lead to the signed root"]);
  });

  test('another root, signed by a key that nobody trusts, is not proved', () => {
    const check = checkInclusion(EVENT, prove(newKey()), [signer.trusted]);
    expect([check.IsVerified, check.Problem]).toEqual([false, 'none of the trusted keys signed the checkpoint']);
  });

  test('a checkpoint that was changed after it was signed is not proved', () => {
    const proof = prove(signer);
    const check = checkInclusion(EVENT, { ...proof, Checkpoint: proof.Checkpoint.replace('\n2\n', '\n3\n') }, [signer.trusted]);
    expect([check.IsVerified, check.Problem?.startsWith("the checkpoint's signature")]).toEqual([false, true]);
  });

  test('a signed root of other leaves does not prove the event', () => {
    const check = checkInclusion(
      EVENT,
      prove(signer, () => sha256(utf8('other leaves'))),
      [signer.trusted],
    );
    expect(check.IsVerified).toBe(false);
  });
});
