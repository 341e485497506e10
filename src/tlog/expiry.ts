/**
 * The fact that a lifecycle rule let an object expire, as it stands in the journal and hence in the tree.
 *
 * It is written before the object goes, and nobody but the server's own lifecycle task makes one: so it tells what a rule took away from
 * what somebody deleted. It names the content that went: an object that was replaced before it expired explains nothing.
 * Deterministic and pure. Specified in docs/formats/objects.md, "The fact of an expiry".
 */
import type { Sha256 } from './hash.ts';
import type { ParsedVersion } from './parsed.ts';
import { checkMembers, type JsonMembers, readText, readTextOrNull, readVersioned } from './read-json.ts';
import { toHex, utf8 } from './text.ts';

/** The form that is written and read here. Raise it with every change of the form. */
const EXPIRY_VERSION = 1;

export interface Expiry {
  readonly bucket: string;
  readonly key: string;
  /** `null` for an object that was written while versioning was off. */
  readonly versionId: string | null;
  /** Hexadecimal, of the bytes as a reader gets them; `null` where whoever put the object did not state it. */
  readonly sha256: string | null;
  /** `expire`: the object goes. `hide`: a delete marker comes before it, and it stays. `remove`: an older version goes. */
  readonly operation: 'expire' | 'hide' | 'remove';
  /** Id of the rule. */
  readonly rule: string;
}

/** One line with its line end. */
export function encodeExpiry({ bucket, key, versionId, sha256, operation, rule }: Expiry): string {
  return `${JSON.stringify({ version: EXPIRY_VERSION, kind: 'expiry', bucket, key, versionId, sha256, operation, rule })}\n`;
}

/** Reads an untrusted text. */
export function parseExpiry(text: string): ParsedVersion<Expiry> {
  if (text.length > 65_536) return { kind: 'malformed', reason: 'an expiry has at most 65536 characters' };
  return readVersioned(text, EXPIRY_VERSION, readExpiry);
}

/** Id of the `nth` (from 1) fact about a key. They are dense, so that they are found without an index. */
export function expiryId(sha256: Sha256, { bucket, key }: Pick<Expiry, 'bucket' | 'key'>, nth: number): string {
  return `expiry/${toHex(sha256(utf8(`${bucket}\n${key}`)))}/${nth}`;
}

/** How an object is kept now of which facts say that it expired. */
export interface KeptObject {
  /** Hexadecimal, of what was delivered; `undefined` where any content will do. */
  readonly sha256: string | undefined;
  /** Ids of the versions of it that are still there, behind a delete marker. */
  readonly versions: ReadonlySet<string>;
}

/**
 * The fact that explains why an object is not there; `undefined` when none does.
 * A delete marker alone explains an object whose version is there or was removed by a rule, too: not one whose version somebody deleted,
 * whatever was put in its place.
 */
export function explainAbsence<T extends Expiry>(expiries: readonly T[], { sha256, versions }: KeptObject): T | undefined {
  return expiries.find((expiry) => {
    if (sha256 !== undefined && expiry.sha256 !== sha256) return false;
    if (expiry.operation !== 'hide') return expiry.operation === 'expire';
    return (
      versions.has(expiry.versionId ?? 'null') ||
      expiries.some(({ operation, versionId }) => operation === 'remove' && versionId === expiry.versionId)
    );
  });
}

function readExpiry(root: JsonMembers): Expiry {
  readText(root, 'kind', /^expiry$/);
  checkMembers(root, ['version', 'kind', 'bucket', 'key', 'versionId', 'sha256', 'operation', 'rule']);
  return {
    bucket: readText(root, 'bucket', /^.{1,255}$/s),
    key: readText(root, 'key', /^.{1,1024}$/s),
    versionId: readTextOrNull(root, 'versionId', /^.{1,1024}$/s),
    sha256: readTextOrNull(root, 'sha256', /^[0-9a-f]{64}$/),
    operation: readText(root, 'operation', /^(expire|hide|remove)$/) as Expiry['operation'],
    rule: readText(root, 'rule', /^.{1,255}$/s),
  };
}
