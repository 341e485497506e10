/**
 * `Username` of an event, as LookupEvents fills it.
 *
 * An IAM user's name; `root`; the session name of an assumed role; the service where a service calls; nothing for a
 * caller of another account, whose name the record does not tell.
 * Source: cloudtrail.md §1.3, §6 "Username".
 */
import { resourceNameOf } from './arn.ts';
import { objectMember, textMember } from './members.ts';
import type { JsonObject } from './types.ts';

/** The user name; `undefined` where the service shows none. Untrusted input; never fails. */
export function findUsername(record: JsonObject): string | undefined {
  const identity = objectMember(record, 'userIdentity');
  const userName = textMember(identity, 'userName');
  switch (textMember(identity, 'type')) {
    // The account's alias may stand in `userName`; the console and the API show `root` all the same.
    case 'Root':
      return 'root';
    case 'AssumedRole':
    case 'FederatedUser':
      return sessionName(identity) ?? userName;
    case 'IAMUser':
    case 'Role':
      return userName ?? nameOfArn(identity);
    case 'AWSService':
      return textMember(identity, 'invokedBy') ?? userName;
    // Two sign-in events of Identity Center name the user here.
    case 'IdentityCenterUser':
      return userName ?? textMember(objectMember(record, 'additionalEventData'), 'UserName');
    case undefined:
      return userName ?? textMember(identity, 'invokedBy');
    default:
      return userName;
  }
}

/** The session's name: after the colon of `principalId`, else at the end of the session's ARN. */
export function sessionName(identity: JsonObject | undefined): string | undefined {
  const principalId = textMember(identity, 'principalId');
  const colon = principalId?.indexOf(':') ?? -1;
  const session = colon === -1 ? undefined : principalId?.slice(colon + 1);
  return session || nameOfArn(identity);
}

function nameOfArn(identity: JsonObject | undefined): string | undefined {
  const arn = textMember(identity, 'arn');
  return arn === undefined ? undefined : resourceNameOf(arn);
}
