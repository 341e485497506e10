/**
 * Who did it, as far as one record tells.
 *
 * A record names the credentials that signed; behind a role session stands whoever assumed the role. What one record
 * knows of that is the session's issuer, the source identity and the name that the session was given. Following the chain
 * over several records is somebody else's work.
 *
 * Untrusted input: nothing here says that the record is true, only what it says.
 * Source: cloudtrail.md §1.3; CloudTrail User Guide, "CloudTrail userIdentity element".
 */
import { resourceNameOf } from './arn.ts';
import { sessionName } from './find-username.ts';
import { objectMember, textMember } from './members.ts';
import type { JsonObject } from './types.ts';

/** What kind of identity acted; one for each `userIdentity.type`, and two for records without one. */
export type ActorKind =
  | 'root'
  | 'user'
  | 'role-session'
  | 'role'
  | 'federated-user'
  | 'directory-user'
  /** A principal of another account, of which the record tells the account and an id. */
  | 'account'
  /** An AWS service, also where the identity has `invokedBy` and no type. */
  | 'service'
  | 'identity-center-user'
  | 'saml-user'
  | 'web-identity-user'
  /** The service could not tell. */
  | 'unknown'
  /** The record has no identity, or one of a type that is not known here. */
  | 'none';

/** Whose long-term identity issued a session: a role, an IAM user or the root user. */
export interface SessionIssuer {
  readonly kind: 'role' | 'user' | 'root';
  readonly name: string;
  readonly account?: string;
}

/** Absent members are not told by the record. */
export interface Actor {
  readonly kind: ActorKind;
  /** A person's or a service's name, for a session the source identity or the session's name; an id where there is no name. */
  readonly name?: string;
  /** The account that owns the identity. */
  readonly account?: string;
  readonly arn?: string;
  readonly accessKeyId?: string;
  /** The role, user or root whose session this is. */
  readonly issuer?: SessionIssuer;
  /** The name that the session was given when the role was assumed. */
  readonly session?: string;
  /** Set by who assumed the first role, and kept through every role after it. */
  readonly sourceIdentity?: string;
  /** Absent when the record says nothing about multi-factor authentication. */
  readonly hasMfa?: boolean;
  /** The AWS service that made the call for the identity. */
  readonly invokedBy?: string;
  /** The identity provider of a SAML or web identity. */
  readonly identityProvider?: string;
  /** The account of a product provider that acts by temporary delegated access. */
  readonly delegate?: string;
  /** The resource whose service-scoped credentials were used, such as a Lambda function's ARN. */
  readonly scopedTo?: string;
}

const KIND_OF_TYPE: ReadonlyMap<string, ActorKind> = new Map([
  ['Root', 'root'],
  ['IAMUser', 'user'],
  ['AssumedRole', 'role-session'],
  ['Role', 'role'],
  ['FederatedUser', 'federated-user'],
  ['Directory', 'directory-user'],
  ['AWSAccount', 'account'],
  ['AWSService', 'service'],
  ['IdentityCenterUser', 'identity-center-user'],
  ['SAMLUser', 'saml-user'],
  ['WebIdentityUser', 'web-identity-user'],
  ['Unknown', 'unknown'],
]);

/** Resolves the actor of one record. Never fails. */
export function resolveActor(record: JsonObject): Actor {
  const identity = objectMember(record, 'userIdentity');
  const session = objectMember(identity, 'sessionContext');
  const type = textMember(identity, 'type');
  const invokedBy = textMember(identity, 'invokedBy');
  const kind = type === undefined && invokedBy !== undefined ? 'service' : (KIND_OF_TYPE.get(type ?? '') ?? 'none');
  const sourceIdentity = textMember(session, 'sourceIdentity');
  return withoutAbsent({
    kind,
    name: nameOf(kind, identity, record) ?? undefined,
    account: textMember(identity, 'accountId'),
    arn: textMember(identity, 'arn'),
    accessKeyId: textMember(identity, 'accessKeyId'),
    issuer: readIssuer(objectMember(session, 'sessionIssuer')),
    session: kind === 'role-session' || kind === 'federated-user' ? sessionName(identity) : undefined,
    sourceIdentity,
    hasMfa: readMfa(session, record),
    invokedBy: kind === 'service' ? undefined : invokedBy,
    identityProvider: textMember(identity, 'identityProvider'),
    delegate: textMember(objectMember(identity, 'invokedByDelegate'), 'accountId'),
    scopedTo:
      textMember(objectMember(identity, 'inScopeOf'), 'credentialsIssuedTo') ??
      textMember(objectMember(identity, 'inScopeOf'), 'sourceArn'),
  });
}

function nameOf(kind: ActorKind, identity: JsonObject | undefined, record: JsonObject): string | undefined {
  const userName = textMember(identity, 'userName');
  const principalId = textMember(identity, 'principalId');
  switch (kind) {
    case 'role-session':
    case 'federated-user':
      return textMember(objectMember(identity, 'sessionContext'), 'sourceIdentity') ?? sessionName(identity) ?? userName;
    case 'service':
      return textMember(identity, 'invokedBy') ?? userName;
    case 'account':
      return userName ?? principalId;
    case 'identity-center-user':
      return (
        userName ??
        textMember(objectMember(record, 'additionalEventData'), 'UserName') ??
        textMember(objectMember(identity, 'onBehalfOf'), 'userId')
      );
    default: {
      const arn = textMember(identity, 'arn');
      return userName ?? (arn === undefined ? principalId : resourceNameOf(arn));
    }
  }
}

function readIssuer(issuer: JsonObject | undefined): SessionIssuer | undefined {
  const arn = textMember(issuer, 'arn');
  const name = textMember(issuer, 'userName') ?? (arn === undefined ? undefined : resourceNameOf(arn));
  const type = textMember(issuer, 'type');
  if (name === undefined && type === undefined) return undefined;
  const kind = type === 'IAMUser' ? 'user' : type === 'Root' ? 'root' : 'role';
  const account = textMember(issuer, 'accountId');
  return { kind, name: name ?? kind, ...(account === undefined ? {} : { account }) };
}

/** `mfaAuthenticated` of the session is a text; a console sign-in tells it elsewhere, as `Yes` or `No`. */
function readMfa(session: JsonObject | undefined, record: JsonObject): boolean | undefined {
  const used = textMember(objectMember(record, 'additionalEventData'), 'MFAUsed');
  if (used !== undefined) return used === 'Yes';
  const authenticated = textMember(objectMember(session, 'attributes'), 'mfaAuthenticated');
  return authenticated === undefined ? undefined : authenticated === 'true';
}

function withoutAbsent(actor: { [Name in keyof Actor]: Actor[Name] | undefined } & { kind: ActorKind }): Actor {
  return Object.fromEntries(Object.entries(actor).filter(([, value]) => value !== undefined)) as unknown as Actor;
}
