/**
 * A change of a bucket's settings that may take something from those who write to it.
 */
import type { BucketName } from '../event/types.ts';

export type BucketChange =
  /** `null` removes it. */
  | { readonly kind: 'policy'; readonly bucket: BucketName; readonly policy: string | null }
  | { readonly kind: 'removal' | 'versioning' | 'lifecycle' | 'lock'; readonly bucket: BucketName };
