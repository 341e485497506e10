/**
 * Signed reads from a bucket, as the verifier's bucket source asks for them.
 */
import type { S3Request } from '../verify/bucket-source.ts';
import type { Client } from './client.ts';

/** Sends the verifier's requests to one bucket. */
export function s3Request(client: Client, bucket: string): S3Request {
  return async (method, path, query) => {
    const key = path.split('/').map(encode).join('/');
    const search = Object.entries(query)
      .map(([name, value]) => `${encode(name)}=${encode(value)}`)
      .sort()
      .join('&');
    return client.send('s3', method, `/${bucket}${key === '' ? '' : `/${key}`}${search === '' ? '' : `?${search}`}`);
  };
}

/** RFC 3986, as SigV4 wants it. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`);
}
