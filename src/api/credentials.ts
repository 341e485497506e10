/**
 * What the signature verifier needs to know of an access key, and who may ask.
 */
import type { Principal } from './operation.ts';

/** A key as the verifier sees it. Held in memory for the length of one check; never logged. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Set for temporary credentials: the request must carry exactly this token. */
  readonly sessionToken?: string;
  /** Set for temporary credentials. */
  readonly expiresAtMs?: number;
  readonly status: 'Active' | 'Inactive';
  readonly principal: Principal;
}

/**
 * Finds a key by its id; `undefined` when there is none. May cache for at most 5 seconds (A10).
 * @param sessionToken As the request carries it, untrusted: what is known of a temporary key lies sealed in it.
 */
export type FindCredentials = (accessKeyId: string, sessionToken?: string) => Promise<Credentials | undefined>;
