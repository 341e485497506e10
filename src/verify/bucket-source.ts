/**
 * Evidence in an S3 bucket, read through a client that is passed in: it signs, retries and knows the endpoint.
 *
 * One listing of versions gives keys, sizes, delete markers and whether a key was overwritten; where the service does
 * not know that call, the plain listing is taken and the report says what cannot be seen. Answers are untrusted.
 * Source: S3 API Reference, ListObjectVersions, ListObjectsV2, GetObject.
 */
import { type ListedVersion, readListing } from './read-listing.ts';
import { type EvidenceSource, type Fetched, type ListedObject, SourceUnreachable, type VersionsUnknown } from './source.ts';

export interface S3Response {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Uint8Array;
}

/** The body of an answer has more bytes than were asked for. */
export class AnswerTooLarge extends Error {
  override readonly name = 'AnswerTooLarge';
}

/**
 * Sends one signed request to the bucket.
 *
 * @param path The object's key as it is, not encoded; empty for the bucket itself.
 * @param query Names and values as they are, not encoded; an empty value for a name alone.
 * @param bytesMax Most bytes of body to take in.
 * @throws AnswerTooLarge when there are more; another Error when there is no answer. Answers with a status of failure are returned.
 */
export type S3Request = (method: 'GET', path: string, query: Readonly<Record<string, string>>, bytesMax: number) => Promise<S3Response>;

const LISTING_BYTES_MAX = 64 * 1024 * 1024;
const ATTEMPTS = 3;
const RETRY_AFTER_MS = 200;
const JOBS = 64;

export function bucketSource(options: {
  readonly bucket: string;
  /** Only keys that begin with it are listed; the trail's prefix, or empty for all. */
  readonly prefix?: string;
  readonly request: S3Request;
}): EvidenceSource {
  const { bucket, prefix = '', request } = options;
  let versions: VersionsUnknown | undefined;

  async function* list(): AsyncGenerator<ListedObject> {
    const first = await page({ versions: '' });
    if (first.status === 200) {
      yield* fold(pages(first.body, (marker) => page({ versions: '', ...marker })));
      return;
    }
    const isUnknown = first.status === 501 || first.status === 405 || first.status === 400;
    versions = { kind: isUnknown ? 'none' : 'refused', reason: `listing versions was answered with ${describe(first)}` };
    const plain = await page({ 'list-type': '2' });
    if (plain.status !== 200) throw new SourceUnreachable(`\`s3://${bucket}\` cannot be listed: ${describe(plain)}`);
    yield* fold(pages(plain.body, (marker) => page({ 'list-type': '2', ...marker })));
  }

  async function page(query: Readonly<Record<string, string>>): Promise<S3Response> {
    try {
      const whole = { ...query, 'encoding-type': 'url', 'max-keys': '1000', ...(prefix === '' ? {} : { prefix }) };
      return await retried(() => request('GET', '', whole, LISTING_BYTES_MAX));
    } catch (cause) {
      throw new SourceUnreachable(`\`s3://${bucket}\` cannot be listed: ${(cause as Error).message}`, { cause });
    }
  }

  async function* pages(
    body: Uint8Array,
    next: (marker: Readonly<Record<string, string>>) => Promise<S3Response>,
  ): AsyncGenerator<readonly ListedVersion[]> {
    const seen = new Set<string>();
    for (let text = body; ; ) {
      const listing = readListing(text);
      if (listing.kind === 'malformed') throw new SourceUnreachable(`\`s3://${bucket}\` cannot be listed: ${listing.reason}`);
      yield listing.entries;
      if (listing.next === undefined) return;
      const marker = JSON.stringify(listing.next);
      if (seen.has(marker)) throw new SourceUnreachable(`\`s3://${bucket}\` cannot be listed: the same page comes again and again`);
      seen.add(marker);
      const answer = await next(listing.next);
      if (answer.status !== 200) throw new SourceUnreachable(`\`s3://${bucket}\` cannot be listed: ${describe(answer)}`);
      text = answer.body;
    }
  }

  async function fetchObject(key: string, query: Readonly<Record<string, string>>, bytesMax: number): Promise<Fetched> {
    try {
      const response = await retried(() => request('GET', key, query, bytesMax));
      if (response.status === 404) return { kind: 'missing' };
      if (response.status !== 200) return { kind: 'unreadable', reason: `reading was answered with ${describe(response)}` };
      return { kind: 'object', bytes: response.body, metadata: userMetadata(response) };
    } catch (error) {
      if (error instanceof AnswerTooLarge) return { kind: 'too-large' };
      return { kind: 'unreadable', reason: (error as Error).message };
    }
  }

  return {
    name: `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}`,
    kind: 'bucket',
    bucket,
    prefix,
    jobs: JOBS,
    list,
    versionsUnknown: () => versions,
    get: (key, bytesMax) => fetchObject(key, {}, bytesMax),
    getVersion: (key, versionId, bytesMax) => fetchObject(key, { versionId }, bytesMax),
  };
}

/** Joins the versions of each key, which follow one another; a page may end between them. */
async function* fold(pages: AsyncIterable<readonly ListedVersion[]>): AsyncGenerator<ListedObject> {
  let key: string | undefined;
  let latest: ListedVersion | undefined;
  let contents = new Set<string>();
  let versionIds: string[] = [];
  const folded = (): ListedObject => ({
    key: key!,
    sizeBytes: latest?.sizeBytes ?? 0,
    isPresent: latest !== undefined && !latest.isDeleteMarker,
    contents: contents.size,
    ...(latest?.isDeleteMarker || contents.size > 1 ? { versionIds } : {}),
  });
  for await (const page of pages) {
    for (const version of page) {
      if (version.key !== key) {
        if (key !== undefined) yield folded();
        key = version.key;
        latest = undefined;
        contents = new Set();
        versionIds = [];
      }
      // The newest comes first; a service that marks none is taken at the order of its list.
      if (latest === undefined || version.isLatest) latest = version;
      if (version.isDeleteMarker) continue;
      contents.add(`${version.etag} ${version.sizeBytes}`);
      versionIds.push(version.versionId);
    }
  }
  if (key !== undefined) yield folded();
}

/** Tries again what may pass: no answer, and answers of a service that is busy. */
async function retried(send: () => Promise<S3Response>): Promise<S3Response> {
  for (let attempt = 1; ; attempt++) {
    try {
      const response = await send();
      const isBusy = response.status === 429 || response.status >= 500;
      if (!isBusy || response.status === 501 || attempt === ATTEMPTS) return response;
    } catch (error) {
      if (attempt === ATTEMPTS || error instanceof AnswerTooLarge) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_AFTER_MS * attempt));
  }
}

function userMetadata({ headers }: S3Response): Record<string, string> {
  const metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith('x-amz-meta-') && typeof value === 'string') metadata[name.slice('x-amz-meta-'.length)] = value;
  }
  return metadata;
}

function describe({ status, body }: S3Response): string {
  const code = /<Code>([A-Za-z0-9.]{1,64})<\/Code>/.exec(Buffer.from(body.subarray(0, 4096)).toString('latin1'))?.[1];
  return code === undefined ? `status ${status}` : `status ${status} (${code})`;
}
