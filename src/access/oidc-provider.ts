/**
 * Identity providers that an account trusts: the only issuers whose keys are ever fetched.
 *
 * Source: IAM User Guide, "OIDC identity providers".
 */
import type { AccountId, EpochMs } from '../event/types.ts';
import type { CatalogKey } from '../store/catalog.ts';
import type { Tag } from './identity-documents.ts';

export interface OidcProvider {
  readonly account: AccountId;
  /** Of the issuer, without `https://`: `token.example.com/tenant`. */
  readonly host: string;
  /** Reached without TLS: only an issuer on this machine. */
  readonly isPlain: boolean;
  /** Audiences that tokens may be for. */
  readonly clientIds: readonly string[];
  /** Kept and shown; the issuer is trusted by its certificate's authority. */
  readonly thumbprints: readonly string[];
  readonly createdAtMs: EpochMs;
  readonly tags: readonly Tag[];
}

export function oidcKey(account: AccountId, host: string): CatalogKey {
  return ['oidc-provider', account, host];
}

export function oidcArn(account: AccountId, host: string): string {
  return `arn:aws:iam::${account}:oidc-provider/${host}`;
}
