/**
 * Virtual second factors: time-based one-time passwords.
 *
 * The secret lies in the catalog wrapped, and is shown once. A code is good once: the device keeps the newest time step that it was
 * used for, and takes only later ones.
 * Source: RFC 6238, RFC 4226; IAM User Guide, "Virtual MFA device".
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { ApiError } from '../api/api-error.ts';
import type { AccountId, EpochMs } from '../event/types.ts';
import type { CatalogKey } from '../store/catalog.ts';
import type { Keys } from '../store/keys.ts';
import type { Identities } from './identities.ts';
import { changed, type DocumentChange } from './identity-changes.ts';
import type { Tag } from './identity-documents.ts';

export interface MfaDevice {
  readonly account: AccountId;
  /** An ARN, such as `arn:aws:iam::111122223333:mfa/alice`. */
  readonly serialNumber: string;
  /** Base64. */
  readonly wrappedSecret: string;
  readonly tags: readonly Tag[];
  /** Absent: not enabled. */
  readonly userName?: string;
  readonly enabledAtMs?: EpochMs;
  /** Newest time step of a code that was taken. */
  readonly usedStep: number;
}

export function mfaKey(account: AccountId, serialNumber: string): CatalogKey {
  return ['mfa-device', account, serialNumber];
}

export function mfaContext(serialNumber: string): string {
  return `mfa-device/${serialNumber}`;
}

const STEP_MS = 30_000;
/** Steps that a device's clock may be off. */
const STEPS_OFF = 1;

/** The code of one time step. */
export function totpCode(secret: Uint8Array, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const digest = createHmac('sha1', secret).update(counter).digest();
  const offset = digest.at(-1)! & 15;
  return String((digest.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

/** The time step whose code this is, among those around `nowMs` and after `usedStep`. */
export function stepOfCode(
  secret: Uint8Array,
  code: string,
  { nowMs, usedStep }: { readonly nowMs: EpochMs; readonly usedStep: number },
): number | undefined {
  const now = Math.floor(nowMs / STEP_MS);
  for (let step = now - STEPS_OFF; step <= now + STEPS_OFF; step += 1) {
    const isSame = code.length === 6 && timingSafeEqual(Buffer.from(code, 'latin1').subarray(0, 6), Buffer.from(totpCode(secret, step)));
    if (isSame && step > usedStep) return step;
  }
  return undefined;
}

export async function mfaSecret(keys: Pick<Keys, 'unwrap'>, device: MfaDevice): Promise<Uint8Array> {
  return keys.unwrap(Buffer.from(device.wrappedSecret, 'base64'), mfaContext(device.serialNumber));
}

/** Codes that may be tried within one time step: with more, who has a user's key could try them all. */
const TRIES_MAX = 5;

/** Counts the codes that were tried of each device. In memory: a restart takes longer than a time step. */
export class MfaTries {
  readonly #tried = new Map<string, { readonly step: number; readonly count: number }>();

  /** Counts a try before it is known what becomes of it, so that many at once are no way around it. @returns false for one too many. */
  begin(serialNumber: string, nowMs: EpochMs): boolean {
    const step = Math.floor(nowMs / STEP_MS);
    const tried = this.#tried.get(serialNumber);
    const count = tried?.step === step ? tried.count : 0;
    this.#tried.set(serialNumber, { step, count: count + 1 });
    return count < TRIES_MAX;
  }

  /** The code was right. */
  succeed(serialNumber: string): void {
    this.#tried.delete(serialNumber);
  }
}

/**
 * Checks the code of a user's device.
 * @returns the change that keeps the code from being used again: to be committed before anything is given for it.
 * @throws ApiError AccessDenied, in the same words whatever is wrong.
 */
export async function checkMfaCode(
  { identities, keys, mfaTries }: { readonly identities: Identities; readonly keys: Pick<Keys, 'unwrap'>; readonly mfaTries: MfaTries },
  user: { readonly account: AccountId; readonly name: string },
  given: { readonly serialNumber: string | undefined; readonly code: string | undefined; readonly nowMs: EpochMs },
): Promise<readonly DocumentChange[]> {
  const { serialNumber, code, nowMs } = given;
  if (serialNumber === undefined || code === undefined)
    throw denied('MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.');
  const device = await identities.get<MfaDevice>(mfaKey(user.account, serialNumber));
  const isOwn = device?.value.userName === user.name;
  if (!isOwn || !mfaTries.begin(serialNumber, nowMs)) throw denied('MultiFactorAuthentication failed with invalid MFA one time pass code.');
  const secret = await mfaSecret(keys, device.value);
  const step = stepOfCode(secret, code, { nowMs, usedStep: device.value.usedStep });
  if (step === undefined) throw denied('MultiFactorAuthentication failed with invalid MFA one time pass code.');
  mfaTries.succeed(serialNumber);
  return [changed(device, { usedStep: step })];
}

function denied(message: string): ApiError {
  return new ApiError('AccessDenied', message, { status: 403 });
}
