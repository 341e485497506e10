/**
 * `--no-auth`: a server whose callers are not asked who they are, for tests on one machine.
 *
 * Every request is the same caller's, unsigned or signed with anything; a credential scope is read for the service and the
 * Region that it means, and for nothing else. The server listens on loopback alone (`server/settings.ts` refuses anything
 * else), and web pages, which reach loopback through the browser of whoever works there, are kept out here.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { ApiError } from '../api/api-error.ts';
import type { Principal } from '../api/operation.ts';
import type { EpochMs, Region } from '../event/types.ts';
import { isRegion } from '../event/values.ts';
import { parseQuery, type RequestParts, UNSIGNED_PAYLOAD } from './canonical-request.ts';
import { type Authorization, formatAmzDate } from './read-authorization.ts';

/** Who calls, whatever the request says. */
export interface TrustedCaller {
  readonly principal: Principal;
  /** Where the request names none. */
  readonly region: Region;
}

/** Services by the word before the operation in `X-Amz-Target`. */
const SERVICE_OF_TARGET: ReadonlyMap<string, string> = new Map([
  ['CloudTrail_20131101', 'cloudtrail'],
  ['TrentService', 'kms'],
  ['AWSOrganizationsV20161128', 'organizations'],
]);

/**
 * Refuses what a browser sends for a page: a page of any origin can send plain requests to loopback, and a name that it resolves
 * to loopback makes it the same origin.
 * @throws ApiError AccessDeniedException
 */
export function refuseBrowsers({ origin, host, ...headers }: IncomingHttpHeaders): void {
  const isPage = origin !== undefined || headers['sec-fetch-site'] !== undefined || headers['sec-fetch-mode'] !== undefined;
  if (!isPage && isLoopbackHost(host ?? '')) return;
  const message = isPage
    ? 'a server without authentication takes no requests from browsers'
    : 'a server without authentication takes requests for its loopback address alone; the Host header names another';
  throw new ApiError('AccessDeniedException', message, { status: 403 });
}

function isLoopbackHost(host: string): boolean {
  const name = host.replace(/:\d+$/, '').toLowerCase();
  return name === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(name) || /^(?:[a-z0-9.-]+\.)?localhost$/.test(name);
}

/** An authorization as if the trusted caller had signed the request just now. */
export function assumeAuthorization({ path, query, headers }: RequestParts, caller: TrustedCaller, nowMs: EpochMs): Authorization {
  const parameters = readParameters(query);
  const header = (wanted: string) => headers.find(([name]) => name.toLowerCase() === wanted)?.[1] ?? '';
  const claimed = /Credential=([^,\s]+)/.exec(header('authorization'))?.[1] ?? parameters.get('X-Amz-Credential') ?? '';
  const [, , region = '', signedFor = ''] = claimed.split('/');
  const service = /^[a-z0-9-]{1,64}$/.test(signedFor) ? signedFor : serviceOf({ path, target: header('x-amz-target'), header, parameters });
  const amzDate = formatAmzDate(nowMs);
  const contentSha256 = header('x-amz-content-sha256');
  return {
    form: parameters.has('X-Amz-Signature') ? 'query' : 'header',
    accessKeyId: caller.principal.accessKeyId,
    scope: { date: amzDate.slice(0, 8), region: isRegion(region) ? region : caller.region, service },
    signedHeaders: [],
    signature: '',
    amzDate,
    signedAtMs: nowMs,
    expiresSeconds: 60,
    ...(service === 's3'
      ? { contentSha256: contentSha256 === '' ? UNSIGNED_PAYLOAD : contentSha256 }
      : /^[0-9a-f]{64}$|^STREAMING-AWS4-/.test(contentSha256)
        ? { contentSha256 }
        : {}),
  };
}

/** The service of a request without a credential scope. */
function serviceOf(sent: {
  readonly path: string;
  readonly target: string;
  readonly header: (name: string) => string;
  readonly parameters: ReadonlyMap<string, string>;
}): string {
  const { path, target, header, parameters } = sent;
  if (target !== '') return SERVICE_OF_TARGET.get(target.slice(0, target.lastIndexOf('.')).split('.').at(-1)!) ?? 'cloudtrail';
  if (path.startsWith('/v1/')) return 'snowtrail';
  if (path === '/PutAuditEvents') return 'cloudtrail-data';
  const isForm = header('content-type').startsWith('application/x-www-form-urlencoded');
  return path === '/' && (isForm || parameters.has('Action')) ? 'sts' : 's3';
}

function readParameters(query: string): ReadonlyMap<string, string> {
  try {
    return new Map(parseQuery(query));
  } catch {
    // Refused with its reason where the parameters are read.
    return new Map();
  }
}
