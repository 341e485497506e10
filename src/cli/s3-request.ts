/**
 * Signed reads from a bucket, as the verifier's bucket source asks for them.
 */
import { EMPTY_SHA256 } from '../http/canonical-request.ts';
import { signRequest } from '../http/sign-request.ts';
import type { S3Request } from '../verify/bucket-source.ts';
import { HttpReader } from '../verify/http-reader.ts';
import type { ServerAccess } from './find-server.ts';

/** Sends the verifier's requests to one bucket. Nothing keeps the process once the reads are done. */
export function s3Request(access: ServerAccess, bucket: string): S3Request {
  const reader = new HttpReader({ url: access.url });
  const { origin, pathname } = new URL(access.url);
  const base = `${pathname.replace(/\/$/, '')}/${bucket}`;
  return async (method, path, query, bytesMax) => {
    const key = path.split('/').map(encode).join('/');
    const search = Object.entries(query)
      .map(([name, value]) => `${encode(name)}=${encode(value)}`)
      .sort()
      .join('&');
    const target = `${base}${key === '' ? '' : `/${key}`}${search === '' ? '' : `?${search}`}`;
    const { headers } = signRequest(
      { method, url: `${origin}${target}` },
      { credentials: access, region: access.region, service: 's3', nowMs: Date.now(), payload: EMPTY_SHA256 },
    );
    return reader.get(target, { ...headers, 'user-agent': 'snowtrail-cli' }, bytesMax);
  };
}

/** RFC 3986, as SigV4 wants it. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`);
}
