/**
 * A loopback endpoint with just as much S3 and CloudTrail as `aws cloudtrail validate-logs` and our bucket source need,
 * over buckets in memory. It checks no signature: it serves tests and benches of readers.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MemoryBucket, StoredObject } from './evidence-builder.ts';

export interface EvidenceEndpoint {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** Requests answered so far. */
  readonly requests: () => number;
  close(): Promise<void>;
}

export interface EndpointOptions {
  /** Added before each answer. */
  readonly delayMs?: number;
  /** Answers instead of a request: the status and body of an error. */
  readonly fail?: (method: string, path: string, query: URLSearchParams) => number | undefined;
  /** Entries of a page of a listing. */
  readonly pageSize?: number;
  /** Further buckets, for a trail that was moved. */
  readonly others?: readonly MemoryBucket[];
}

/** What the endpoint says of a trail. */
export interface ShownTrail {
  readonly name: string;
  readonly trailARN: string;
  readonly homeRegion: string;
  /** Before `AWSLogs`. */
  readonly prefix?: string | undefined;
  readonly bucket: { readonly name: string };
  readonly installation: {
    /** `publicKey` is PKCS#1 DER. */
    readonly digestKeys: readonly { readonly publicKey: Uint8Array; readonly fingerprint: string }[];
  };
}

export async function serveEvidence(builder: ShownTrail, bucket: MemoryBucket, options: EndpointOptions = {}): Promise<EvidenceEndpoint> {
  let requests = 0;
  const server = createServer((request, response) => {
    requests++;
    void answer(request, response, { builder, bucket, options });
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, requests: () => requests, close: () => closed(server) };
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

interface Shown {
  readonly builder: ShownTrail;
  readonly bucket: MemoryBucket;
  readonly options: EndpointOptions;
}

async function answer(request: IncomingMessage, response: ServerResponse, shown: Shown): Promise<void> {
  const body = request.method === 'GET' ? '' : await readBody(request);
  if (shown.options.delayMs) await sleep(shown.options.delayMs);
  // Most requests are for an object: nothing else of the address is looked at then.
  const plain = /^\/[^/?]+\/([A-Za-z0-9/._-]+)$/.exec(request.url ?? '')?.[1];
  const object = plain === undefined || shown.options.fail !== undefined ? undefined : shown.bucket.objects.get(plain);
  if (object !== undefined && request.url!.startsWith(`/${shown.bucket.name}/`)) {
    answerObject(response, object);
    return;
  }
  const url = new URL(request.url ?? '/', 'http://localhost');
  const failure = shown.options.fail?.(request.method ?? 'GET', decodeURIComponent(url.pathname), url.searchParams);
  if (failure !== undefined) return void response.writeHead(failure).end('<Error><Code>Failure</Code></Error>');
  const target = request.headers['x-amz-target'];
  if (typeof target === 'string') return answerCloudTrail(response, target.split('.').at(-1)!, body, shown);
  answerS3(response, url, shown);
}

async function readBody(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return body;
}

function answerCloudTrail(response: ServerResponse, operation: string, body: string, { builder }: Shown): void {
  const answers: Record<string, () => object> = {
    DescribeTrails: () => ({
      trailList: [
        {
          Name: builder.name,
          TrailARN: builder.trailARN,
          HomeRegion: builder.homeRegion,
          S3BucketName: builder.bucket.name,
          ...(builder.prefix !== undefined && { S3KeyPrefix: builder.prefix }),
          IsOrganizationTrail: false,
          IsMultiRegionTrail: true,
          LogFileValidationEnabled: true,
        },
      ],
    }),
    ListPublicKeys: () => ({
      PublicKeyList: builder.installation.digestKeys.map(({ publicKey, fingerprint }) => ({
        Value: Buffer.from(publicKey).toString('base64'),
        Fingerprint: fingerprint,
        ValidityStartTime: 1_700_000_000,
        ValidityEndTime: 2_000_000_000,
      })),
    }),
  };
  const make = answers[operation];
  if (make === undefined)
    return void response.writeHead(400).end(JSON.stringify({ __type: 'UnknownOperationException', message: `${operation} ${body}` }));
  response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(make()));
}

function answerS3(response: ServerResponse, url: URL, { bucket: first, options }: Shown): void {
  const path = decodeURIComponent(url.pathname).slice(1);
  const slash = path.indexOf('/');
  const [name, key] = slash < 0 ? [path, ''] : [path.slice(0, slash), path.slice(slash + 1)];
  const bucket = [first, ...(options.others ?? [])].find((each) => each.name === name);
  if (bucket === undefined) return void response.writeHead(404).end('<Error><Code>NoSuchBucket</Code></Error>');
  if (key !== '') {
    answerObject(response, bucket.objects.get(key));
    return;
  }
  const query = url.searchParams;
  const pageSize = options.pageSize ?? 1_000;
  const xml = query.has('location')
    ? '<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">eu-central-1</LocationConstraint>'
    : query.has('versions')
      ? listVersions(bucket, query, pageSize)
      : listObjects(bucket, query, pageSize);
  response.writeHead(200, { 'content-type': 'application/xml' }).end(xml);
}

function answerObject(response: ServerResponse, object: StoredObject | undefined): void {
  if (object === undefined) return void response.writeHead(404).end('<Error><Code>NoSuchKey</Code></Error>');
  const metadata = Object.fromEntries(Object.entries(object.metadata).map(([name, value]) => [`x-amz-meta-${name}`, value]));
  response.writeHead(200, { 'content-length': object.body.length, ...metadata }).end(object.body);
}

function listObjects(bucket: MemoryBucket, query: URLSearchParams, pageSize: number): string {
  const after = query.get('marker') ?? query.get('continuation-token') ?? '';
  const all = bucket.keys().filter((key) => key.startsWith(query.get('prefix') ?? '') && key > after);
  const page = all.slice(0, pageSize);
  const contents = page.map((key) => `<Contents>${entry(key, bucket.objects.get(key)!)}</Contents>`).join('');
  const isTruncated = page.length < all.length;
  const next = isTruncated
    ? `<NextMarker>${encodeURIComponent(page.at(-1)!)}</NextMarker><NextContinuationToken>${page.at(-1)}</NextContinuationToken>`
    : '';
  return `<?xml version="1.0"?><ListBucketResult><EncodingType>url</EncodingType><IsTruncated>${isTruncated}</IsTruncated>${next}${contents}</ListBucketResult>`;
}

function listVersions(bucket: MemoryBucket, query: URLSearchParams, pageSize: number): string {
  const after = query.get('key-marker') ?? '';
  const afterVersion = query.get('version-id-marker');
  const rows = [...new Set([...bucket.objects.keys(), ...bucket.deleted])].sort().flatMap((key) => versionsOf(bucket, key));
  const begin =
    after === ''
      ? 0
      : rows.findIndex((row) => row.key > after || (row.key === after && afterVersion === row.id)) + (afterVersion === null ? 0 : 1);
  const all = rows.slice(begin < 0 ? rows.length : begin).filter(({ key }) => key.startsWith(query.get('prefix') ?? ''));
  const page = all.slice(0, pageSize);
  const isTruncated = page.length < all.length;
  const last = page.at(-1);
  const next = isTruncated
    ? `<NextKeyMarker>${encodeURIComponent(last!.key)}</NextKeyMarker><NextVersionIdMarker>${last!.id}</NextVersionIdMarker>`
    : '';
  return `<?xml version="1.0"?><ListVersionsResult><IsTruncated>${isTruncated}</IsTruncated>${next}<EncodingType>url</EncodingType>${page.map(({ xml }) => xml).join('')}</ListVersionsResult>`;
}

function versionsOf(bucket: MemoryBucket, key: string): { key: string; id: string; xml: string }[] {
  const now = bucket.objects.get(key);
  const older = [...(bucket.older.get(key) ?? [])].reverse();
  const rows = [...(now === undefined ? [] : [now]), ...older];
  const versions = rows.map((object, index) => ({
    key,
    id: `v${rows.length - index}`,
    xml: `<Version>${entry(key, object)}<VersionId>v${rows.length - index}</VersionId><IsLatest>${index === 0 && !bucket.deleted.has(key)}</IsLatest></Version>`,
  }));
  if (!bucket.deleted.has(key)) return versions;
  const marker = `<DeleteMarker><Key>${encodeURIComponent(key)}</Key><VersionId>marker</VersionId><IsLatest>true</IsLatest></DeleteMarker>`;
  return [{ key, id: 'marker', xml: marker }, ...versions];
}

function entry(key: string, { body }: StoredObject): string {
  return `<Key>${encodeURIComponent(key)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;${body.length}-${body.at(-5)}-${body.at(-9)}&quot;</ETag><Size>${body.length}</Size>`;
}
