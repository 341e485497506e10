/**
 * Writes key statements into the journal, and rotates keys.
 *
 * Every key that signs is stated in a `key` fact, signed by itself and by the key before it (`tlog/key-statement.ts`).
 * The key is durable first and stated then: a crash between leaves a key without its statement, which the next start
 * makes up for. A statement is deterministic, and its fact's id names the key, so stating twice states once.
 */
import type { AccountId, Region } from '../event/types.ts';
import type { Clock } from '../store/clock.ts';
import type { Journal } from '../store/journal.ts';
import type { Keys, PublicKeyInfo, SigningKeyUse } from '../store/keys.ts';
import { encodeKeyStatement, type KeyStatement, keyStatementToSign } from '../tlog/key-statement.ts';
import { formatNote, type NoteSignature } from '../tlog/note.ts';
import { utf8 } from '../tlog/text.ts';

export interface KeyStatementOptions {
  readonly journal: Pick<Journal, 'append' | 'find'>;
  readonly keys: Pick<Keys, 'list' | 'sign' | 'rotate'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** Name of the log, under which checkpoint keys sign. */
  readonly origin: string;
  /** Facts of the installation belong to its first account. */
  readonly account: AccountId;
  readonly region: Region;
}

/**
 * States every key in use that the journal does not state yet. To be called at each start, before anything is signed.
 * @throws JournalFull, JournalFailed
 */
export async function stateKeys(options: KeyStatementOptions): Promise<void> {
  for (const use of ['checkpoint', 'digest'] as const) {
    const keys = await options.keys.list(use);
    // Only the current key and the one before it can sign; older ones were stated before they were replaced.
    for (let index = Math.max(0, keys.length - 2); index < keys.length; index++) {
      const canVouch = index > 0 && index === keys.length - 1;
      await stateKey(options, keys[index]!, canVouch ? keys[index - 1] : undefined);
    }
  }
}

/** Makes a new current key, and states it. One rotation at a time. */
export async function rotateKey(options: KeyStatementOptions, use: SigningKeyUse): Promise<PublicKeyInfo> {
  await stateKeys(options);
  const key = await options.keys.rotate(use, options.clock.nowMs());
  await stateKeys(options);
  return key;
}

/** Id of the fact that states a key. */
export function keyFactId({ use, fingerprint }: Pick<PublicKeyInfo, 'use' | 'fingerprint'>): string {
  return `key/${use}/${fingerprint}`;
}

async function stateKey(options: KeyStatementOptions, key: PublicKeyInfo, previous: PublicKeyInfo | undefined): Promise<void> {
  const { journal, clock, account, region } = options;
  const factId = keyFactId(key);
  if ((await journal.find(account, factId)) !== undefined) return;
  const statement: KeyStatement = {
    use: key.use,
    fingerprint: key.fingerprint,
    publicKey: key.publicKey,
    validFrom: `${new Date(key.validFromMs).toISOString().slice(0, 19)}Z`,
    previousFingerprint: previous?.fingerprint ?? null,
  };
  const signers = previous === undefined ? [key] : [key, previous];
  const note =
    key.use === 'checkpoint' ? await signStatement(options, statement, signers) : await signDigestStatement(options, statement, signers);
  await journal.append([{ kind: 'fact', factKind: 'key', factId, account, region, receivedAtMs: clock.nowMs(), bytes: utf8(note) }]);
}

/** The statement of a checkpoint key: the note is signed by the key and the one before it. */
async function signStatement(options: KeyStatementOptions, statement: KeyStatement, signers: readonly PublicKeyInfo[]): Promise<string> {
  return signNote(options, encodeKeyStatement({ ...statement, rsaSignatures: [] }), signers);
}

/** The statement of a digest key: RSA signatures within, and the note signed by the checkpoint key of the time. */
async function signDigestStatement(
  options: KeyStatementOptions,
  statement: KeyStatement,
  signers: readonly PublicKeyInfo[],
): Promise<string> {
  const message = utf8(keyStatementToSign(statement));
  const rsaSignatures: { fingerprint: string; signature: Uint8Array }[] = [];
  for (const { fingerprint } of signers) {
    const { signature } = await options.keys.sign('digest', message, fingerprint);
    rsaSignatures.push({ fingerprint, signature });
  }
  const current = (await options.keys.list('checkpoint')).at(-1)!;
  return signNote(options, encodeKeyStatement({ ...statement, rsaSignatures }), [current]);
}

async function signNote(options: KeyStatementOptions, text: string, signers: readonly PublicKeyInfo[]): Promise<string> {
  const signatures: NoteSignature[] = [];
  for (const { fingerprint } of signers) {
    const { signature } = await options.keys.sign('checkpoint', utf8(text), fingerprint);
    signatures.push({ name: options.origin, keyHash: fingerprint, signature });
  }
  return formatNote(text, signatures);
}
