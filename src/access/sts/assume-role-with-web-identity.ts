/**
 * `AssumeRoleWithWebIdentity`: keys of a role for somebody whom an identity provider vouches for.
 *
 * The call is not signed: its caller is who the token says, and is known before anything is decided or recorded. The role's trust
 * policy alone decides.
 * Source: STS API Reference, "AssumeRoleWithWebIdentity"; IAM User Guide, "Available keys for AWS OIDC federation".
 */
import type { AccessRequest } from '../../api/access.ts';
import type { Operation, Principal } from '../../api/operation.ts';
import { entityArn } from '../identity-documents.ts';
import {
  assumedRoleUser,
  needRole,
  parseRoleArn,
  requireDuration,
  type SessionInput,
  sessionPolicies,
  trustRequests,
} from './assume-role.ts';
import { issueKeys, type StsDeps } from './issue-keys.ts';
import { type WebIdentity, WebIdentityVerifier } from './verify-web-identity.ts';

interface Input extends SessionInput {
  readonly WebIdentityToken: string;
}

const DURATION_DEFAULT_SECONDS = 3_600;

export function assumeRoleWithWebIdentity(deps: StsDeps): Operation<Input, object> {
  const { identities, clock } = deps;
  const verifier = new WebIdentityVerifier(deps);
  /** What the token of a call said, for the length of the call. */
  const identified = new WeakMap<Principal, WebIdentity>();
  return {
    name: 'AssumeRoleWithWebIdentity',
    isReadOnly: true,
    isRecordRequired: true,
    identify: async ({ RoleArn, WebIdentityToken }) => {
      const web = await verifier.verify(WebIdentityToken, parseRoleArn(RoleArn).account);
      const principal = webPrincipal(web);
      identified.set(principal, web);
      return principal;
    },
    access: async (call, input) => {
      const web = identified.get(call.principal)!;
      const requests = trustRequests({
        action: 'sts:AssumeRoleWithWebIdentity',
        input,
        tags: web.tags,
        transitiveTagKeys: web.transitiveTagKeys,
        sourceIdentity: web.sourceIdentity,
      });
      return requests.map((request) => withClaims(request, web));
    },
    decide: async (call, input) => {
      const web = identified.get(call.principal)!;
      const role = await needRole(identities, input.RoleArn);
      const durationSeconds = input.DurationSeconds ?? DURATION_DEFAULT_SECONDS;
      requireDuration(role, durationSeconds);
      const { policies, percent } = await sessionPolicies(identities, role, { ...input, tags: web.tags });
      const { sourceIdentity } = web;
      const { credentials, recorded } = await issueKeys(deps, durationSeconds, {
        account: role.account,
        owner: { kind: 'role', name: role.name, id: role.id, sessionName: input.RoleSessionName },
        issuedAtMs: clock.nowMs(),
        ...(sourceIdentity === undefined ? {} : { sourceIdentity }),
        tags: web.tags,
        transitiveTagKeys: web.transitiveTagKeys,
        ...(policies === undefined ? {} : { policies }),
        startedBy: `${web.providerArn} ${web.subject}`,
        federatedProvider: web.providerArn,
      });
      const user = assumedRoleUser(role, input.RoleSessionName);
      return {
        output: {
          Credentials: credentials,
          SubjectFromWebIdentityToken: web.subject,
          AssumedRoleUser: user,
          ...(percent === undefined ? {} : { PackedPolicySize: percent }),
          Provider: web.providerArn,
          Audience: web.audience,
          ...(sourceIdentity === undefined ? {} : { SourceIdentity: sourceIdentity }),
        },
        requestParameters: {
          ...(web.tags.length === 0 ? {} : { principalTags: Object.fromEntries(web.tags.map(({ Key, Value }) => [Key, Value])) }),
          ...(web.transitiveTagKeys.length === 0 ? {} : { transitiveTagKeys: web.transitiveTagKeys }),
          roleArn: input.RoleArn,
          roleSessionName: input.RoleSessionName,
          ...(input.DurationSeconds === undefined ? {} : { durationSeconds: input.DurationSeconds }),
        },
        responseElements: {
          credentials: recorded,
          subjectFromWebIdentityToken: web.subject,
          assumedRoleUser: { assumedRoleId: user.AssumedRoleId, arn: user.Arn },
          ...(percent === undefined ? {} : { packedPolicySize: percent }),
          provider: web.providerArn,
          audience: web.audience,
          ...(sourceIdentity === undefined ? {} : { sourceIdentity }),
        },
        resources: [{ account: role.account, type: 'AWS::IAM::Role', name: entityArn(role) }],
      };
    },
  };
}

function webPrincipal({ account, providerArn, audience, subject }: WebIdentity): Principal {
  return {
    type: 'WebIdentityUser',
    account,
    arn: providerArn,
    principalId: `${providerArn}:${audience}:${subject}`,
    accessKeyId: '',
    userName: subject,
    identityProvider: providerArn,
    isAdministrator: false,
  };
}

/** Condition keys of the token's claims, named after the issuer. */
function withClaims(request: AccessRequest, { host, audience, subject, methods }: WebIdentity): AccessRequest {
  const issuer = host.toLowerCase();
  const context = new Map([
    ...(request.context ?? []),
    [`${issuer}:aud`, [audience]] as const,
    [`${issuer}:sub`, [subject]] as const,
    ...(methods.length === 0 ? [] : [[`${issuer}:amr`, methods] as const]),
  ]);
  return { ...request, context };
}
