/**
 * `ListEvidenceKeys`: every key that signed, or signs, anything of the evidence.
 */
import type { Operation } from '../api/operation.ts';
import type { AccountId, JsonObject } from '../event/types.ts';
import type { Journal } from '../store/journal.ts';
import { type Keys, keyValidity } from '../store/keys.ts';
import { formatNoteKey } from '../tlog/note.ts';
import { toBase64 } from '../tlog/text.ts';
import { keyStatementReader } from './read-key-statement.ts';

interface EvidenceKey {
  readonly Use: 'digest' | 'checkpoint';
  readonly Fingerprint: string;
  /** Base64: PKCS#1 DER for digest keys, 32 bytes for checkpoint keys. */
  readonly PublicKey: string;
  /** The C2SP line to pin, for checkpoint keys only. */
  readonly VerifierKey?: string;
  /** The note in which the journal states a checkpoint key, signed by it and by the one before; absent while it states none. */
  readonly Statement?: string;
  /** ISO 8601. */
  readonly ValidFrom: string;
  readonly ValidTo: string;
  readonly IsCurrent: boolean;
}

export function listEvidenceKeys(deps: {
  readonly keys: Pick<Keys, 'list'>;
  readonly journal: Pick<Journal, 'find' | 'fetch'>;
  readonly account: AccountId;
  readonly origin: string;
}): Operation<JsonObject, { readonly Origin: string; readonly Keys: readonly EvidenceKey[] }> {
  const statementOf = keyStatementReader(deps);
  return {
    name: 'ListEvidenceKeys',
    isReadOnly: true,
    decide: async () => {
      const keys = [...(await deps.keys.list('digest')), ...(await deps.keys.list('checkpoint'))];
      const statements = new Map<string, string>();
      for (const key of keys.filter(({ use }) => use === 'checkpoint')) {
        const found = await statementOf(key);
        if (found.kind === 'stated') statements.set(key.fingerprint, found.note);
      }
      return {
        output: {
          Origin: deps.origin,
          Keys: keys.map((key) => ({
            Use: key.use,
            Fingerprint: key.fingerprint,
            PublicKey: toBase64(key.publicKey),
            ...(key.use === 'checkpoint' && {
              VerifierKey: formatNoteKey({ name: deps.origin, keyHash: key.fingerprint, publicKey: key.publicKey }),
            }),
            ...(statements.has(key.fingerprint) && { Statement: statements.get(key.fingerprint)! }),
            ValidFrom: new Date(keyValidity(key).fromMs).toISOString(),
            ValidTo: new Date(keyValidity(key).toMs).toISOString(),
            IsCurrent: key.validToMs === undefined,
          })),
        },
      };
    },
  };
}
