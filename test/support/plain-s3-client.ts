/**
 * A client of one bucket that signs nothing, for loopback endpoints that ask for no signature.
 */
import type { S3Request } from '../../src/verify/bucket-source.ts';
import { HttpReader } from '../../src/verify/http-reader.ts';

/** @param url The endpoint; the bucket's name becomes the first part of each path. */
export function plainS3Client(url: string, bucket: string): S3Request {
  const reader = new HttpReader({ url });
  return (_, path, query, bytesMax) => {
    const key = path === '' ? '' : `/${path.split('/').map(encodeURIComponent).join('/')}`;
    const search = path === '' ? `?${new URLSearchParams(query)}` : '';
    return reader.get(`/${bucket}${key}${search}`, {}, bytesMax);
  };
}
