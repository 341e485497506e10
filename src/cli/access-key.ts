/** A new access key as the server shows it, this once. */
export interface AccessKey {
  readonly Account: string;
  readonly AccessKeyId: string;
  readonly SecretAccessKey: string;
}
