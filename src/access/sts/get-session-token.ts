/**
 * `GetSessionToken`: temporary keys of the user or root itself, with a second factor where one is shown.
 *
 * No permission is needed: the keys can do no more than those that asked for them.
 * Source: STS API Reference, "GetSessionToken".
 */
import { ApiError } from '../../api/api-error.ts';
import { type Call, type Operation, REPEATS_MS } from '../../api/operation.ts';
import { checkMfaCode } from '../mfa-device.ts';
import type { SessionOwner } from '../session-token.ts';
import { issueKeys, type StsDeps } from './issue-keys.ts';

interface Input {
  readonly DurationSeconds?: number;
  readonly SerialNumber?: string;
  readonly TokenCode?: string;
}

const USER_SECONDS_DEFAULT = 43_200;
const ROOT_SECONDS_MAX = 3_600;

export function getSessionToken(deps: StsDeps): Operation<Input, object> {
  const { clock, identities } = deps;
  return {
    name: 'GetSessionToken',
    isReadOnly: true,
    isRecordRequired: true,
    refusesReplay: { afterMs: REPEATS_MS },
    decide: async (call, { DurationSeconds, SerialNumber, TokenCode }) => {
      const owner = ownerOf(call);
      const mfa =
        SerialNumber === undefined && TokenCode === undefined
          ? undefined
          : await checkMfaCode(
              deps,
              { account: call.account, name: owner.kind === 'user' ? owner.name : '' },
              { serialNumber: SerialNumber, code: TokenCode, nowMs: deps.realTimeMs() },
            );
      const asked = DurationSeconds ?? USER_SECONDS_DEFAULT;
      const seconds = owner.kind === 'root' ? Math.min(asked, ROOT_SECONDS_MAX) : asked;
      const issuedAtMs = clock.nowMs();
      const { credentials, recorded } = await issueKeys(deps, seconds, {
        account: call.account,
        owner,
        issuedAtMs,
        ...(mfa === undefined ? {} : { mfaAuthenticatedAtMs: issuedAtMs }),
        tags: [],
        transitiveTagKeys: [],
      });
      return {
        output: { Credentials: credentials },
        ...(mfa === undefined ? {} : identities.save(mfa)),
        responseElements: { credentials: recorded },
      };
    },
  };
}

function ownerOf({ principal }: Call): SessionOwner {
  if (principal.session !== undefined)
    throw new ApiError('AccessDenied', 'Cannot call GetSessionToken with session credentials', { status: 403 });
  return principal.type === 'Root' ? { kind: 'root' } : { kind: 'user', name: principal.userName!, id: principal.principalId };
}
