/**
 * A client of one bucket that signs nothing, for loopback endpoints that ask for no signature. Connections are kept.
 */
import { Agent, request as httpRequest } from 'node:http';
import type { S3Request } from '../../src/verify/bucket-source.ts';

/** @param url The endpoint; the bucket's name becomes the first part of each path. */
export function plainS3Client(url: string, bucket: string): S3Request {
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const { hostname, port } = new URL(url);
  return (method, path, query, bytesMax) =>
    new Promise((resolve, reject) => {
      const key = path === '' ? '' : `/${path.split('/').map(encodeURIComponent).join('/')}`;
      const search = new URLSearchParams(query).toString();
      const target = `/${bucket}${key}${search === '' ? '' : `?${search}`}`;
      const request = httpRequest({ agent, hostname, port, method, path: target }, (response) => {
        const chunks: Buffer[] = [];
        let length = 0;
        response.on('data', (chunk: Buffer) => {
          length += chunk.length;
          if (length > bytesMax) response.destroy(new Error('the answer is too large'));
          else chunks.push(chunk);
        });
        response.on('error', reject);
        response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) }));
      });
      request.on('error', reject);
      request.end();
    });
}
