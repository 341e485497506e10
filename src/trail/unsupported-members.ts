/**
 * Refuses members of CreateTrail and UpdateTrail that nothing stands behind yet.
 *
 * An accepted member that does nothing is worse than a refusal (DESIGN §9). The value that means "none", or the
 * service's default, is fine.
 */
import { ApiError } from '../api/api-error.ts';

/** The members in question, in the wire's words. */
export interface UnsupportedMembers {
  readonly KmsKeyId?: string;
}

/** @throws ApiError UnsupportedOperationException, naming the member. */
export function refuseUnsupportedMembers(input: UnsupportedMembers): void {
  const isUsed: readonly (readonly [name: string, isUsed: boolean])[] = [['KmsKeyId', (input.KmsKeyId ?? '') !== '']];
  const [name] = isUsed.find(([, used]) => used) ?? [];
  if (name !== undefined)
    throw new ApiError('UnsupportedOperationException', `${name} is not supported by this version of Snowtrail; leave it out.`);
}
