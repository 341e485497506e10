/**
 * Reads the answer of ListObjectVersions or ListObjectsV2.
 *
 * Not a general XML reader: the elements that these two answers have, in linear time. Keys are asked for in URL encoding,
 * so that any key can stand in XML. The answer is untrusted: what does not fit is refused as a whole.
 */

/** One entry of a listing of versions, or an object of a plain one. */
export interface ListedVersion {
  readonly key: string;
  /** `null` in a plain listing, too. */
  readonly versionId: string;
  readonly sizeBytes: number;
  readonly etag: string;
  readonly isLatest: boolean;
  readonly isDeleteMarker: boolean;
}

export type Listing =
  | {
      readonly kind: 'listing';
      readonly entries: readonly ListedVersion[];
      /** Query members for the next page; absent when this was the last. */
      readonly next?: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'malformed'; readonly reason: string };

export function readListing(body: Uint8Array): Listing {
  const xml = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  if (!/<(?:ListVersionsResult|ListBucketResult)[\s>]/.test(xml.slice(0, 1024))) return malformed('the answer is not a listing');
  const isEncoded = xml.includes('<EncodingType>url</EncodingType>');
  const entries: ListedVersion[] = [];
  const entry = /<(Contents|Version|DeleteMarker)>/g;
  let rest = '';
  let at = 0;
  for (let found = entry.exec(xml); found !== null; found = entry.exec(xml)) {
    const name = found[1]!;
    const end = xml.indexOf(`</${name}>`, found.index);
    if (end < 0) return malformed('the answer ends inside of an entry');
    const version = readEntry(name, xml.slice(found.index, end), isEncoded);
    if (version === undefined) return malformed('the answer has an entry without a key');
    entries.push(version);
    rest += xml.slice(at, found.index);
    at = end;
    entry.lastIndex = end;
  }
  rest += xml.slice(at);
  if (textOf(rest, 'IsTruncated') !== 'true') return { kind: 'listing', entries };
  const next = nextPage(rest, isEncoded);
  return next === undefined ? malformed('the listing goes on, but does not say where') : { kind: 'listing', entries, next };
}

function readEntry(name: string, text: string, isEncoded: boolean): ListedVersion | undefined {
  const key = decodeKey(textOf(text, 'Key'), isEncoded);
  if (key === undefined) return undefined;
  return {
    key,
    versionId: textOf(text, 'VersionId') ?? 'null',
    sizeBytes: Number(textOf(text, 'Size') ?? 0) || 0,
    etag: textOf(text, 'ETag') ?? '',
    isLatest: name === 'Contents' || textOf(text, 'IsLatest') === 'true',
    isDeleteMarker: name === 'DeleteMarker',
  };
}

function nextPage(text: string, isEncoded: boolean): Record<string, string> | undefined {
  const token = textOf(text, 'NextContinuationToken');
  if (token !== undefined) return { 'continuation-token': token };
  const key = decodeKey(textOf(text, 'NextKeyMarker'), isEncoded);
  if (key === undefined) return undefined;
  const version = textOf(text, 'NextVersionIdMarker');
  return { 'key-marker': key, ...(version === undefined || version === '' ? {} : { 'version-id-marker': version }) };
}

function textOf(xml: string, name: string): string | undefined {
  const from = xml.indexOf(`<${name}>`);
  if (from < 0) return undefined;
  const to = xml.indexOf(`</${name}>`, from);
  return to < 0 ? undefined : decodeEntities(xml.slice(from + name.length + 2, to));
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function decodeEntities(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&(?:([a-z]{2,4})|#([0-9]{1,7})|#x([0-9a-fA-F]{1,6}));/g, (whole, name?: string, decimal?: string, hex?: string) => {
    if (name !== undefined) return Object.hasOwn(ENTITIES, name) ? ENTITIES[name]! : whole;
    const code = decimal !== undefined ? Number(decimal) : Number.parseInt(hex!, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

function decodeKey(text: string | undefined, isEncoded: boolean): string | undefined {
  if (text === undefined || text === '') return undefined;
  if (!isEncoded) return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

function malformed(reason: string): Listing {
  return { kind: 'malformed', reason };
}
