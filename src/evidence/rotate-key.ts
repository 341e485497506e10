/**
 * `RotateKey`: a new digest or checkpoint key, stated in the journal and signed by the old and the new one.
 *
 * Administrators only. The old digest key stays listed and valid for a day, so digests signed under it verify for ever.
 */
import { ApiError } from '../api/api-error.ts';
import type { Operation } from '../api/operation.ts';
import type { JsonObject } from '../event/types.ts';
import type { Journal } from '../store/journal.ts';
import { type KeyStatementOptions, rotateKey } from './state-keys.ts';

/** The new key is made only when the record of the call is durable: `ListEvidenceKeys` shows it. */
interface RotateKeyOutput {
  readonly Use: 'digest' | 'checkpoint';
  /** Of the key that was current until now. */
  readonly PreviousFingerprint: string;
}

/** Input: `Use`, `digest` or `checkpoint`. */
export function rotateKeyOperation(
  deps: KeyStatementOptions & { readonly journal: Pick<Journal, 'append' | 'find' | 'health'> },
): Operation<JsonObject, RotateKeyOutput> {
  // A key that was replaced twice cannot vouch any more: each rotation waits until the one before is stated.
  let last: Promise<unknown> = Promise.resolve();
  return {
    name: 'RotateKey',
    isReadOnly: false,
    refusesReplay: { afterMs: 0 },
    decide: async (call, input) => {
      if (!call.principal.isAdministrator)
        throw new ApiError('AccessDeniedException', 'only the account that administers the installation rotates keys', { status: 403 });
      const use = input['Use'];
      if (use !== 'digest' && use !== 'checkpoint') throw new ApiError('ValidationException', '`Use` is `digest` or `checkpoint`');
      const previous = (await deps.keys.list(use)).at(-1)!;
      return {
        output: { Use: use, PreviousFingerprint: previous.fingerprint },
        apply: async () => {
          const rotation = last.then(async () => {
            await requireCurrent(deps, use, previous.fingerprint);
            await rotateKey(deps, use);
          });
          last = rotation.catch(() => undefined);
          await rotation;
        },
      };
    },
  };
}

/** Two administrators who rotate the same key at once rotate it once. */
async function requireCurrent(
  deps: KeyStatementOptions & { readonly journal: Pick<Journal, 'health'> },
  use: 'digest' | 'checkpoint',
  fingerprint: string,
): Promise<void> {
  const current = (await deps.keys.list(use)).at(-1)!;
  if (current.fingerprint !== fingerprint)
    throw new ApiError('ConflictException', `the ${use} key was rotated meanwhile; list the keys and decide again`, { status: 409 });
  const { state, reason } = deps.journal.health();
  if (state !== 'ok')
    throw new ApiError('ServiceUnavailableException', `the journal takes no statement of the new key now: ${reason}`, { status: 503 });
}
