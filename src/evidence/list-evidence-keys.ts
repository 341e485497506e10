/**
 * `ListEvidenceKeys`: every key that signed, or signs, anything of the evidence.
 */
import type { Operation } from '../api/operation.ts';
import type { JsonObject } from '../event/types.ts';
import { type Keys, keyValidity } from '../store/keys.ts';
import { formatNoteKey } from '../tlog/note.ts';
import { toBase64 } from '../tlog/text.ts';

interface EvidenceKey {
  readonly Use: 'digest' | 'checkpoint';
  readonly Fingerprint: string;
  /** Base64: PKCS#1 DER for digest keys, 32 bytes for checkpoint keys. */
  readonly PublicKey: string;
  /** The C2SP line to pin, for checkpoint keys only. */
  readonly VerifierKey?: string;
  /** ISO 8601. */
  readonly ValidFrom: string;
  readonly ValidTo: string;
  readonly IsCurrent: boolean;
}

export function listEvidenceKeys(deps: {
  readonly keys: Pick<Keys, 'list'>;
  readonly origin: string;
}): Operation<JsonObject, { readonly Origin: string; readonly Keys: readonly EvidenceKey[] }> {
  return {
    name: 'ListEvidenceKeys',
    isReadOnly: true,
    decide: async () => {
      const keys = [...(await deps.keys.list('digest')), ...(await deps.keys.list('checkpoint'))];
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
            ValidFrom: new Date(keyValidity(key).fromMs).toISOString(),
            ValidTo: new Date(keyValidity(key).toMs).toISOString(),
            IsCurrent: key.validToMs === undefined,
          })),
        },
      };
    },
  };
}
