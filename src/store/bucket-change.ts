/**
 * A change of a bucket's settings that may take something from those who write to it.
 */
import type { BucketName } from '../event/types.ts';

export type BucketChange =
  /** `null` removes it. */
  | { readonly kind: 'policy'; readonly bucket: BucketName; readonly policy: string | null }
  /** `encryption`: another key encrypts by default, or none does any more. */
  | { readonly kind: 'removal' | 'versioning' | 'lifecycle' | 'lock' | 'encryption'; readonly bucket: BucketName };
