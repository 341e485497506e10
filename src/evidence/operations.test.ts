import { createHash, createPublicKey, verify } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { ACCOUNT, callBy, EvidenceRig, NOW_MS, ORIGIN, OTHER_ACCOUNT, sha256 } from '../../test/support/evidence-rig.ts';
import { ApiError } from '../api/api-error.ts';
import type { Call, Decision, Operation } from '../api/operation.ts';
import { hashLeaf } from '../tlog/hash.ts';
import { keyStatementToSign, parseKeyStatement } from '../tlog/key-statement.ts';
import { parseNote, parseNoteKey, type VerifyEd25519, verifyNote } from '../tlog/note.ts';
import type { ParsedVersion } from '../tlog/parsed.ts';
import { fromBase64, toHex, utf8 } from '../tlog/text.ts';
import { verifyConsistency, verifyInclusion } from '../tlog/tree.ts';
import type { TreeFollower } from './grow-tree.ts';
import { evidenceOperations } from './operations.ts';
import { stateKeys } from './state-keys.ts';

const DAY_MS = 24 * 3_600_000;
const administrator = callBy(ACCOUNT, true);
const stranger = callBy(OTHER_ACCOUNT, false);

const verifyEd25519: VerifyEd25519 = (publicKey, message, signature) => {
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey).toString('base64url') }, format: 'jwk' });
  return verify(null, message, key, signature);
};

// biome-ignore lint/suspicious/noExplicitAny: answers of several shapes, each looked at by its members.
type Answer = any;

interface Served {
  readonly rig: EvidenceRig;
  readonly tree: TreeFollower;
  /** Decides a call, and carries it out. */
  readonly ask: (name: string, input: object, call?: Call) => Promise<Answer>;
  readonly decide: (name: string, input: object, call?: Call) => Promise<Decision<Answer>>;
}

async function serve(): Promise<Served> {
  const rig = new EvidenceRig();
  const tree = await rig.open();
  const { cloudtrail, snowtrail } = evidenceOperations({ ...rig, journal: rig.journal, tree });
  const table = new Map([...cloudtrail, ...snowtrail].map((operation) => [operation.name, operation as Operation<Answer, Answer>]));
  const decide: Served['decide'] = (name, input, call = administrator) => table.get(name)!.decide(call, input);
  const ask: Served['ask'] = async (name, input, call) => {
    const decision = await decide(name, input, call);
    await decision.apply?.();
    return decision.output;
  };
  return { rig, tree, ask, decide };
}

const code = (asked: Promise<unknown>) =>
  asked.then(
    () => 'no error',
    (error) => (error instanceof ApiError ? error.code : String(error)),
  );

function value<T>(parsed: ParsedVersion<T>): T {
  if (parsed.kind !== 'ok') throw new Error(parsed.reason);
  return parsed.value;
}

describe('ListPublicKeys', () => {
  const times = (from?: number, to?: number) => ({
    ...(from !== undefined && { StartTime: new Date(from) }),
    ...(to !== undefined && { EndTime: new Date(to) }),
  });

  test('answers the current key as PKCS#1 DER with its MD5, valid from a day before its first use', async () => {
    const { ask } = await serve();
    const { PublicKeyList } = await ask('ListPublicKeys', {});
    expect(PublicKeyList).toEqual([
      {
        Value: expect.any(Uint8Array),
        ValidityStartTime: new Date(NOW_MS - DAY_MS),
        ValidityEndTime: new Date(NOW_MS - DAY_MS + 3650 * DAY_MS),
        Fingerprint: createHash('md5').update(PublicKeyList[0].Value).digest('hex'),
      },
    ]);
    expect(Buffer.from(PublicKeyList[0].Value).toString('base64')).toMatch(/^MIIBCgKCAQEA/);
  });

  test('answers every key whose validity touches the range, both of a rotation, oldest first', async () => {
    const { rig, ask } = await serve();
    const [old] = await rig.keys.list('digest');
    rig.clock.pass(30 * DAY_MS);
    const rotatedAtMs = NOW_MS + 30 * DAY_MS;
    await ask('RotateKey', { Use: 'digest' });
    const made = (await rig.keys.list('digest'))[1]!;
    const fingerprints = async (from?: number, to?: number) =>
      (await ask('ListPublicKeys', times(from, to))).PublicKeyList.map((key: { Fingerprint: string }) => key.Fingerprint);
    const both = [old!.fingerprint, made.fingerprint];
    expect(await fingerprints(NOW_MS, rotatedAtMs + 2 * 3_600_000)).toEqual(both);
    expect(await fingerprints()).toEqual(both);
    expect(await fingerprints(NOW_MS - 90 * DAY_MS, NOW_MS)).toEqual([old!.fingerprint]);
    expect(await fingerprints(rotatedAtMs + DAY_MS + 1, rotatedAtMs + 2 * DAY_MS)).toEqual([made.fingerprint]);
    expect(await fingerprints(rotatedAtMs + DAY_MS)).toEqual(both);
    expect(await fingerprints(undefined, NOW_MS)).toEqual([old!.fingerprint]);
    expect(await fingerprints(0, NOW_MS - 2 * DAY_MS)).toEqual([]);
  });

  test('refuses only a start after the end, and any token', async () => {
    const { ask } = await serve();
    expect(await code(ask('ListPublicKeys', times(NOW_MS + 1, NOW_MS)))).toBe('InvalidTimeRangeException');
    expect(await code(ask('ListPublicKeys', { NextToken: 'x' }))).toBe('InvalidTokenException');
    expect(await code(ask('ListPublicKeys', times(NOW_MS + 900 * DAY_MS, NOW_MS + 901 * DAY_MS)))).toBe('no error');
    expect(await code(ask('ListPublicKeys', times(NOW_MS + DAY_MS)))).toBe('no error');
  });
});

describe('checkpoints and proofs', () => {
  test('a client that pinned the key can check a checkpoint, its growth, and one event by its bytes', async () => {
    const { rig, tree, ask } = await serve();
    await rig.appendEvents(20);
    await rig.catchUp(tree);
    await tree.checkpointNow();
    const before = await ask('GetCheckpoint', {});
    await rig.appendEvents(20);
    await rig.catchUp(tree);
    await tree.checkpointNow();
    const after = await ask('GetCheckpoint', {}, stranger);

    const { Keys } = await ask('ListEvidenceKeys', {});
    const pinned = value(parseNoteKey(sha256, Keys.find((key: { Use: string }) => key.Use === 'checkpoint').VerifierKey));
    expect(verifyNote(value(parseNote(after.Checkpoint)), [pinned], verifyEd25519)).toEqual({ kind: 'signed', by: [pinned] });

    const growth = await ask('GetConsistencyProof', { FromSize: before.TreeSize });
    const claim = {
      fromSize: BigInt(before.TreeSize),
      fromRoot: fromBase64(before.RootHash)!,
      toSize: BigInt(growth.ToSize),
      toRoot: fromBase64(after.RootHash)!,
    };
    expect(verifyConsistency(sha256, claim, growth.Hashes.map(fromBase64))).toBe(true);

    const proof = await ask('GetInclusionProof', { EventId: 'event-7' });
    const included = {
      leafHash: hashLeaf(sha256, utf8(proof.LeafText)),
      index: BigInt(proof.LeafIndex),
      size: BigInt(proof.TreeSize),
      root: claim.toRoot,
    };
    expect(verifyInclusion(sha256, included, proof.Hashes.map(fromBase64))).toBe(true);
    const bytesHash = createHash('sha256').update(fromBase64(proof.Nonce)!).update('{"eventID":"event-7"}').digest();
    expect(proof.LeafText.split('\n')).toEqual(['snowtrail-leaf/1', 'event', '7', `${NOW_MS}`, ACCOUNT, 'event-7', toHex(bytesHash), '']);
    expect(proof.Checkpoint).toBe(after.Checkpoint);
  });

  test('before the first checkpoint there is none to show', async () => {
    const { ask } = await serve();
    expect(await code(ask('GetCheckpoint', {}))).toBe('CheckpointNotFoundException');
    expect(await code(ask('GetConsistencyProof', { FromSize: '1' }))).toBe('CheckpointNotFoundException');
  });

  test('an entry that no checkpoint covers gets one; one that is not in the tree yet is pending', async () => {
    const { rig, tree, ask } = await serve();
    await rig.appendEvents(2);
    expect(await code(ask('GetInclusionProof', { Sequence: 2 }))).toBe('EntryPendingException');
    await rig.catchUp(tree);
    expect((await ask('GetInclusionProof', { Sequence: 2 })).TreeSize).toBe('2');
  });

  test('an entry of another account looks as if it were not there, but for the administrator', async () => {
    const { rig, tree, ask } = await serve();
    await rig.appendEvents(1);
    await rig.appendEvents(1, OTHER_ACCOUNT);
    await rig.catchUp(tree);
    const answers = await Promise.all(
      [
        ask('GetInclusionProof', { Sequence: '1' }, stranger),
        ask('GetInclusionProof', { EventId: 'event-1' }, stranger),
        ask('GetInclusionProof', { EventId: 'event-1', AccountId: ACCOUNT }, stranger),
        ask('GetInclusionProof', { Sequence: '3' }, stranger),
        ask('GetInclusionProof', { Sequence: '2' }, stranger),
        ask('GetInclusionProof', { EventId: 'event-2', AccountId: OTHER_ACCOUNT }),
      ].map(code),
    );
    expect(answers).toEqual([...Array(4).fill('EntryNotFoundException'), 'no error', 'no error']);
  });

  test('malformed input is refused with the member named', async () => {
    const { rig, tree, ask } = await serve();
    await rig.appendEvents(5);
    await rig.catchUp(tree);
    await tree.checkpointNow();
    const asked: [string, object][] = [
      ['GetConsistencyProof', {}],
      ['GetConsistencyProof', { FromSize: -1 }],
      ['GetConsistencyProof', { FromSize: '1.5' }],
      ['GetConsistencyProof', { FromSize: '9'.repeat(100) }],
      ['GetConsistencyProof', { FromSize: '6' }],
      ['GetConsistencyProof', { FromSize: '3', ToSize: '2' }],
      ['GetConsistencyProof', { FromSize: '3', ToSize: '6' }],
      ['GetConsistencyProof', { FromSize: ['3'] }],
      ['GetInclusionProof', {}],
      ['GetInclusionProof', { Sequence: '1', EventId: 'event-1' }],
      ['GetInclusionProof', { EventId: '' }],
      ['GetInclusionProof', { EventId: {} }],
      ['GetInclusionProof', { EventId: 'event-1', AccountId: 'x' }],
      ['RotateKey', {}],
      ['RotateKey', { Use: 'Digest' }],
    ];
    const answers = await Promise.all(asked.map(([name, input]) => code(ask(name, input))));
    expect(answers).toEqual(asked.map(() => 'ValidationException'));
    expect(await code(ask('GetInclusionProof', { Sequence: '0' }))).toBe('EntryNotFoundException');
  });
});

describe('RotateKey', () => {
  /** The key facts of the journal, each as a parsed note. */
  function statements(rig: EvidenceRig) {
    return rig.journal.entries
      .filter((entry) => entry.factKind === 'key')
      .map((entry) => {
        const note = value(parseNote(entry.bytes));
        return { id: entry.id, note, statement: value(parseKeyStatement(note.text)) };
      });
  }

  test('is for administrators', async () => {
    const { rig, ask } = await serve();
    expect(await code(ask('RotateKey', { Use: 'digest' }, stranger))).toBe('AccessDeniedException');
    expect((await rig.keys.list('digest')).length).toBe(1);
  });

  test('changes nothing until it is applied', async () => {
    const { rig, decide } = await serve();
    const [old] = await rig.keys.list('digest');
    const { output } = await decide('RotateKey', { Use: 'digest' });
    expect(output).toEqual({ Use: 'digest', PreviousFingerprint: old!.fingerprint });
    expect((await rig.keys.list('digest')).length).toBe(1);
    expect(rig.journal.entries).toEqual([]);
  });

  test('of the digest key is stated by RSA signatures of old and new, in a note of the checkpoint key', async () => {
    const { rig, ask } = await serve();
    await ask('RotateKey', { Use: 'digest' });
    const keys = await rig.keys.list('digest');
    const [checkpointKey] = (await rig.keys.list('checkpoint')).map((key) => ({
      name: ORIGIN,
      keyHash: key.fingerprint,
      publicKey: key.publicKey,
    }));
    const made = statements(rig).filter(({ statement }) => statement.use === 'digest');
    expect(made.map(({ id, statement }) => [id, statement.fingerprint, statement.previousFingerprint])).toEqual([
      [`key/digest/${keys[0]!.fingerprint}`, keys[0]!.fingerprint, null],
      [`key/digest/${keys[1]!.fingerprint}`, keys[1]!.fingerprint, keys[0]!.fingerprint],
    ]);
    for (const { note, statement } of made) {
      expect(verifyNote(note, [checkpointKey!], verifyEd25519).kind).toBe('signed');
      const message = utf8(keyStatementToSign(statement));
      const right = statement.rsaSignatures.map(({ fingerprint, signature }) => {
        const { publicKey } = keys.find((key) => key.fingerprint === fingerprint)!;
        return verify('sha256', message, createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'pkcs1' }), signature);
      });
      expect(right).toEqual(statement.previousFingerprint === null ? [true] : [true, true]);
    }
  });

  test('of the checkpoint key is stated in a note that old and new signed', async () => {
    const { rig, ask } = await serve();
    await ask('RotateKey', { Use: 'checkpoint' });
    const keys = (await rig.keys.list('checkpoint')).map((key) => ({ name: ORIGIN, keyHash: key.fingerprint, publicKey: key.publicKey }));
    const last = statements(rig)
      .filter(({ statement }) => statement.use === 'checkpoint')
      .at(-1)!;
    expect(verifyNote(last.note, keys, verifyEd25519)).toEqual({ kind: 'signed', by: [keys[1], keys[0]] });
  });

  test('stated again after a crash between the rotation and its statement, the same for every repeat', async () => {
    const { rig } = await serve();
    await stateKeys(rig);
    await rig.keys.rotate('digest', rig.clock.nowMs());
    await rig.keys.rotate('checkpoint', rig.clock.nowMs());
    await stateKeys(rig);
    await stateKeys(rig);
    const made = statements(rig).map(({ statement }) => [statement.use, statement.previousFingerprint !== null]);
    expect(made).toEqual([
      ['checkpoint', false],
      ['digest', false],
      ['checkpoint', true],
      ['digest', true],
    ]);
  });

  test('twice at once rotates once, and many in a row are all vouched for', async () => {
    const { rig, ask } = await serve();
    const twice = await Promise.all([ask('RotateKey', { Use: 'checkpoint' }), ask('RotateKey', { Use: 'checkpoint' })].map(code));
    expect(twice.sort()).toEqual(['ConflictException', 'no error']);
    for (let count = 0; count < 3; count++) await ask('RotateKey', { Use: 'checkpoint' });
    const fingerprints = (await rig.keys.list('checkpoint')).map((key) => key.fingerprint);
    const stated = statements(rig).filter(({ statement }) => statement.use === 'checkpoint');
    expect(stated.map(({ statement }) => statement.fingerprint)).toEqual(fingerprints);
    expect(stated.map(({ statement }) => statement.previousFingerprint)).toEqual([null, ...fingerprints.slice(0, -1)]);
  });

  test('is refused while the journal takes no statement', async () => {
    const { rig, ask } = await serve();
    rig.journal.isFull = true;
    expect(await code(ask('RotateKey', { Use: 'digest' }))).toBe('ServiceUnavailableException');
    expect((await rig.keys.list('digest')).length).toBe(1);
  });
});
