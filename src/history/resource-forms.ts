/**
 * The forms under which one resource may stand in events: ARN, name, and for S3 the pair of bucket and key.
 *
 * People say `s3://bucket/key`, a name, or an ARN; records carry ARNs in `resources[]` and names in parameters.
 * Source: features.md EV8, RC2; experience.md `snowtrail who`.
 */
import { parseArn, resourceNameOf } from '../event/arn.ts';
import type { AccountId } from '../event/types.ts';

/** One form: the event names all of `names`, and belongs to `account` where the form says so. */
export interface ResourceForm {
  readonly names: readonly string[];
  readonly account?: AccountId;
}

/** Every form of what a person wrote. The text itself is always the first. */
export function resourceForms(text: string): readonly ResourceForm[] {
  return [{ names: [text] }, ...otherForms(text)];
}

function otherForms(text: string): readonly ResourceForm[] {
  const s3 = /^s3:\/\/([^/]+)(?:\/(.*))?$/s.exec(text);
  if (s3 !== null) return [{ names: [s3Arn(s3[1]!, s3[2])] }, s3Names(s3[1]!, s3[2])];
  const arn = parseArn(text);
  if (arn?.service === 's3') {
    const slash = arn.resource.indexOf('/');
    return [slash < 0 ? s3Names(arn.resource, undefined) : s3Names(arn.resource.slice(0, slash), arn.resource.slice(slash + 1))];
  }
  if (arn !== undefined) {
    // A name alone is unique only within an account.
    return [{ names: [resourceNameOf(text)], ...(arn.account !== '' && { account: arn.account as AccountId }) }];
  }
  // `role/NAME`, `user/NAME`: the kind is for the reader, records name the last part.
  const kind = /^[a-z][a-z-]*\/([^/]+)$/.exec(text);
  return kind === null ? [] : [{ names: [kind[1]!] }];
}

function s3Arn(bucket: string, key: string | undefined): string {
  return key === undefined || key === '' ? `arn:aws:s3:::${bucket}` : `arn:aws:s3:::${bucket}/${key}`;
}

function s3Names(bucket: string, key: string | undefined): ResourceForm {
  return { names: key === undefined || key === '' ? [bucket] : [bucket, key] };
}
