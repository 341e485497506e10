/**
 * Makes temporary keys, and says so in the shapes of the answer and of the record.
 */
import { formatShortTime } from '../../api/lower-camel.ts';
import type { JsonObject } from '../../event/types.ts';
import type { Chance, Clock } from '../../store/clock.ts';
import type { Keys } from '../../store/keys.ts';
import type { Outbound } from '../../store/outbound.ts';
import { randomBase32 } from '../base32.ts';
import type { Identities } from '../identities.ts';
import type { MfaTries } from '../mfa-device.ts';
import { type SessionClaims, sealSession } from '../session-token.ts';

export interface StsDeps {
  readonly identities: Identities;
  readonly keys: Pick<Keys, 'wrap' | 'unwrap'>;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly mfaTries: MfaTries;
  /** Reaches identity providers. */
  readonly outbound: Pick<Outbound, 'send'>;
  /** The real time, which signatures and devices go by; `clock` may be set by hand. */
  readonly realTimeMs: () => number;
}

export interface IssuedKeys {
  /** `Credentials` of the answer. */
  readonly credentials: object;
  /** `credentials` of the record: the secret is not in it. */
  readonly recorded: JsonObject;
}

export async function issueKeys(
  { keys, chance, realTimeMs }: StsDeps,
  durationSeconds: number,
  claims: Omit<SessionClaims, 'secretAccessKey' | 'expiresAtMs'>,
): Promise<IssuedKeys> {
  const accessKeyId = `ASIA${randomBase32(chance, 16)}`;
  const secretAccessKey = Buffer.from(chance.bytes(30)).toString('base64');
  const expiresAtMs = Math.floor(realTimeMs() / 1000 + durationSeconds) * 1000;
  const sessionToken = await sealSession(keys, accessKeyId, { ...claims, secretAccessKey, expiresAtMs });
  return {
    credentials: {
      AccessKeyId: accessKeyId,
      SecretAccessKey: secretAccessKey,
      SessionToken: sessionToken,
      Expiration: new Date(expiresAtMs),
    },
    recorded: { accessKeyId, sessionToken, expiration: formatShortTime(expiresAtMs, ' ') },
  };
}
