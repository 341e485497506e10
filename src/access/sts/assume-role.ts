/**
 * `AssumeRole`: keys of a role, for whom its trust policy lets in.
 *
 * Who may is decided at the choke point, where the trust policy is the resource's policy and has to say yes; a role that is not there
 * has none, and is refused in the same words. Sessions hand on what they were given as transitive, and who is behind them: a chain of
 * roles cannot lose either.
 * Source: STS API Reference, "AssumeRole"; IAM User Guide, "Pass session tags in AWS STS", "Monitor and control actions taken with
 * assumed roles"; features.md ID2.
 */
import type { AccessRequest } from '../../api/access.ts';
import { ApiError } from '../../api/api-error.ts';
import { type Call, type Operation, REPEATS_MS } from '../../api/operation.ts';
import { requestTagContext } from '../../api/tags.ts';
import type { AccountId, JsonObject } from '../../event/types.ts';
import { checkPolicy } from '../iam/check-policy.ts';
import { validationError } from '../iam/iam-deps.ts';
import type { Identities } from '../identities.ts';
import type { DocumentChange } from '../identity-changes.ts';
import { entityArn, parseIamArn, type RoleDocument, type Tag } from '../identity-documents.ts';
import { checkMfaCode } from '../mfa-device.ts';
import { packedSize } from '../session-token.ts';
import { issueKeys, type StsDeps } from './issue-keys.ts';

export interface SessionInput {
  readonly RoleArn: string;
  readonly RoleSessionName: string;
  readonly DurationSeconds?: number;
  readonly Policy?: string;
  readonly PolicyArns?: readonly { readonly arn?: string }[];
}

interface AssumeRoleInput extends SessionInput {
  readonly Tags?: readonly Tag[];
  readonly TransitiveTagKeys?: readonly string[];
  readonly SourceIdentity?: string;
  readonly ExternalId?: string;
  readonly SerialNumber?: string;
  readonly TokenCode?: string;
}

const DURATION_DEFAULT_SECONDS = 3_600;
/** Longest session of a role that was assumed by a role. */
const CHAINED_SECONDS_MAX = 3_600;
const SESSION_POLICIES_MAX = 10;
const SESSION_POLICY_LENGTH_MAX = 2_048;

export function assumeRole(deps: StsDeps): Operation<AssumeRoleInput, object> {
  const { identities, clock } = deps;
  return {
    name: 'AssumeRole',
    // As the service's records have it.
    isReadOnly: true,
    isRecordRequired: true,
    refusesReplay: { afterMs: REPEATS_MS },
    access: async (call, input) => assumeRoleAccess(deps, call, input),
    decide: async (call, input) => {
      const role = await needRole(identities, input.RoleArn);
      const durationSeconds = input.DurationSeconds ?? DURATION_DEFAULT_SECONDS;
      checkDuration(call, role, durationSeconds);
      const tags = joinTags(call, input);
      const sourceIdentity = sourceIdentityOf(call, input);
      const { policies, percent } = await sessionPolicies(identities, role, { ...input, tags: tags.all });
      const mfa = await mfaOf(deps, call, input);
      const issuedAtMs = clock.nowMs();
      const { credentials, recorded } = await issueKeys(deps, durationSeconds, {
        account: role.account,
        owner: { kind: 'role', name: role.name, id: role.id, sessionName: input.RoleSessionName },
        issuedAtMs,
        ...(mfa === undefined ? {} : { mfaAuthenticatedAtMs: issuedAtMs }),
        ...(sourceIdentity === undefined ? {} : { sourceIdentity }),
        startedBy: call.principal.session?.startedBy ?? call.principal.principalId,
        tags: tags.all,
        transitiveTagKeys: tags.transitiveKeys,
        ...(policies === undefined ? {} : { policies }),
      });
      const user = assumedRoleUser(role, input.RoleSessionName);
      const packed = percent === undefined ? {} : { PackedPolicySize: percent };
      const identity = sourceIdentity === undefined ? {} : { SourceIdentity: sourceIdentity };
      return {
        output: { Credentials: credentials, AssumedRoleUser: user, ...packed, ...identity },
        ...(mfa === undefined ? {} : identities.save(mfa)),
        requestParameters: requestParameters(input, tags.incoming),
        responseElements: {
          credentials: recorded,
          assumedRoleUser: { assumedRoleId: user.AssumedRoleId, arn: user.Arn },
          ...(percent === undefined ? {} : { packedPolicySize: percent }),
          ...(sourceIdentity === undefined ? {} : { sourceIdentity }),
        },
        resources: [{ account: role.account, type: 'AWS::IAM::Role', name: entityArn(role) }],
        ...(role.account === call.account ? {} : { copyTo: [role.account] }),
      };
    },
  };
}

async function assumeRoleAccess(deps: StsDeps, call: Call, input: AssumeRoleInput): Promise<readonly AccessRequest[]> {
  // A wrong code is refused before anything is decided; it is used up when the keys are given.
  const hasMfa = (await mfaOf(deps, call, input)) !== undefined;
  const requests = trustRequests({
    action: 'sts:AssumeRole',
    input,
    tags: input.Tags ?? [],
    transitiveTagKeys: input.TransitiveTagKeys ?? [],
    sourceIdentity: sourceIdentityOf(call, input),
  });
  const more = [
    ...optional('sts:externalid', input.ExternalId),
    ...(hasMfa ? [['aws:multifactorauthpresent', ['true']] as const, ['aws:multifactorauthage', ['0']] as const] : []),
  ];
  return requests.map((request) => ({ ...request, context: new Map([...(request.context ?? []), ...more]) }));
}

/** What is asked of a role's trust policy: the role itself, and what the session is to carry. */
export function trustRequests(session: {
  readonly action: string;
  readonly input: SessionInput;
  readonly tags: readonly Tag[];
  readonly transitiveTagKeys: readonly string[];
  readonly sourceIdentity: string | undefined;
}): readonly AccessRequest[] {
  const { action, input, tags, transitiveTagKeys, sourceIdentity } = session;
  parseRoleArn(input.RoleArn);
  const context = new Map<string, readonly string[]>([
    ...requestTagContext(tags),
    ['sts:rolesessionname', [input.RoleSessionName]],
    ...optional('sts:sourceidentity', sourceIdentity),
    ...(transitiveTagKeys.length === 0 ? [] : [['sts:transitivetagkeys', transitiveTagKeys] as const]),
  ]);
  const actions = [
    action,
    ...(tags.length === 0 ? [] : ['sts:TagSession']),
    ...(sourceIdentity === undefined ? [] : ['sts:SetSourceIdentity']),
  ];
  return actions.map((each) => ({ action: each, resource: input.RoleArn, context }));
}

/** Who is behind the session: once it was said it stays. @throws ApiError AccessDenied */
function sourceIdentityOf({ principal: { session } }: Call, { SourceIdentity: asked }: AssumeRoleInput): string | undefined {
  const kept = session?.sourceIdentity;
  if (kept !== undefined && asked !== undefined && asked !== kept)
    throw new ApiError('AccessDenied', 'The source identity of a session was set before and cannot be changed.', { status: 403 });
  return kept ?? asked;
}

function optional(key: string, value: string | undefined): (readonly [string, readonly string[]])[] {
  return value === undefined ? [] : [[key, [value]]];
}

/** @throws ApiError ValidationError */
export function parseRoleArn(arn: string): { readonly account: AccountId; readonly name: string } {
  const parsed = parseIamArn(arn, 'role');
  if (parsed === undefined || parsed.account === 'aws') throw validationError(`${arn} is invalid`);
  return { account: parsed.account, name: parsed.name };
}

/** @throws ApiError AccessDenied */
export async function needRole(identities: Identities, arn: string): Promise<RoleDocument> {
  const role = await identities.findByArn('Role', arn);
  if (role !== undefined) return role;
  // It went between the choke point and here.
  throw new ApiError('AccessDenied', `not authorized to perform: sts:AssumeRole on resource: ${arn}`, { status: 403 });
}

function checkDuration(call: Call, role: RoleDocument, durationSeconds: number): void {
  if (call.principal.session?.role !== undefined && durationSeconds > CHAINED_SECONDS_MAX)
    throw validationError('The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.');
  requireDuration(role, durationSeconds);
}

/** @throws ApiError ValidationError */
export function requireDuration(role: RoleDocument, durationSeconds: number): void {
  if (durationSeconds > role.maxSessionSeconds)
    throw validationError('The requested DurationSeconds exceeds the MaxSessionDuration set for this role.');
}

/** The tags of the new session: those that the caller's hands on, and those that were asked for. @throws ApiError */
function joinTags(call: Call, input: AssumeRoleInput) {
  const { Tags: given = [], TransitiveTagKeys: asked = [] } = input;
  const { session } = call.principal;
  const keyOf = (key: string) => key.toLowerCase();
  const inherited = new Set((session?.transitiveTagKeys ?? []).map(keyOf));
  const incoming = (session?.tags ?? []).filter(({ Key }) => inherited.has(keyOf(Key)));
  const givenKeys = given.map(({ Key }) => keyOf(Key));
  if (new Set(givenKeys).size !== givenKeys.length)
    throw new ApiError('InvalidParameterValue', 'Duplicate tag keys found. Please note that Tag keys are case insensitive.', {
      status: 400,
    });
  const conflicting = given.find(({ Key }) => inherited.has(keyOf(Key)));
  if (conflicting !== undefined)
    throw new ApiError(
      'InvalidParameterValue',
      `One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session: ${conflicting.Key}`,
      { status: 400 },
    );
  const missing = asked.find((key) => !givenKeys.includes(keyOf(key)));
  if (missing !== undefined)
    throw new ApiError('InvalidParameterValue', `The specified transitive tag key must be included in the requested tags: ${missing}`, {
      status: 400,
    });
  return {
    all: [...incoming, ...given],
    transitiveKeys: [...incoming.map(({ Key }) => Key), ...asked],
    incoming,
  };
}

/** Session policies that were asked for, and how full the token gets. @throws ApiError MalformedPolicyDocument, PackedPolicyTooLarge */
export async function sessionPolicies(
  identities: Identities,
  role: RoleDocument,
  { Policy: inline, PolicyArns = [], tags }: Pick<SessionInput, 'Policy' | 'PolicyArns'> & { readonly tags: readonly Tag[] },
) {
  if (inline !== undefined) {
    checkPolicy(inline, 'identity');
    if (inline.length > SESSION_POLICY_LENGTH_MAX) throw tooLarge(Math.ceil((inline.length * 100) / SESSION_POLICY_LENGTH_MAX));
  }
  if (PolicyArns.length > SESSION_POLICIES_MAX) throw validationError(`A session has at most ${SESSION_POLICIES_MAX} managed policies.`);
  const arns = PolicyArns.map(({ arn = '' }) => arn);
  for (const arn of arns)
    if ((await identities.findPolicy(role.account, arn)) === undefined)
      throw validationError(`The policy ${arn} does not exist in the account of the role.`);
  const policies = inline === undefined && arns.length === 0 ? undefined : { ...(inline === undefined ? {} : { inline }), arns };
  if (policies === undefined && tags.length === 0) return { policies, percent: undefined };
  const percent = packedSize([policies ?? null, tags]);
  if (percent > 100) throw tooLarge(percent);
  return { policies, percent };
}

function tooLarge(percent: number): ApiError {
  return new ApiError('PackedPolicyTooLarge', `Packed policy consumes ${percent}% of allotted space, please use smaller policy.`, {
    status: 400,
  });
}

export function assumedRoleUser(role: RoleDocument, sessionName: string): { readonly AssumedRoleId: string; readonly Arn: string } {
  return {
    AssumedRoleId: `${role.id}:${sessionName}`,
    Arn: `arn:aws:sts::${role.account}:assumed-role/${role.name}/${sessionName}`,
  };
}

/** The change that uses the given code up; `undefined` when none was given. */
async function mfaOf(
  deps: StsDeps,
  call: Call,
  { SerialNumber, TokenCode }: AssumeRoleInput,
): Promise<readonly DocumentChange[] | undefined> {
  if (SerialNumber === undefined && TokenCode === undefined) return undefined;
  const user = { account: call.account, name: call.principal.type === 'IAMUser' ? (call.principal.userName ?? '') : '' };
  return checkMfaCode(deps, user, { serialNumber: SerialNumber, code: TokenCode, nowMs: deps.realTimeMs() });
}

function requestParameters(input: AssumeRoleInput, incoming: readonly Tag[]): JsonObject {
  const { Tags, TransitiveTagKeys, DurationSeconds, Policy, PolicyArns } = input;
  return {
    ...(incoming.length === 0 ? {} : { incomingTransitiveTags: Object.fromEntries(incoming.map(({ Key, Value }) => [Key, Value])) }),
    ...(Tags === undefined ? {} : { tags: Tags.map(({ Key, Value }) => ({ key: Key, value: Value })) }),
    roleArn: input.RoleArn,
    roleSessionName: input.RoleSessionName,
    ...(TransitiveTagKeys === undefined ? {} : { transitiveTagKeys: TransitiveTagKeys }),
    ...(DurationSeconds === undefined ? {} : { durationSeconds: DurationSeconds }),
    ...(input.SourceIdentity === undefined ? {} : { sourceIdentity: input.SourceIdentity }),
    ...(input.ExternalId === undefined ? {} : { externalId: input.ExternalId }),
    ...(input.SerialNumber === undefined ? {} : { serialNumber: input.SerialNumber }),
    ...(Policy === undefined ? {} : { policy: Policy }),
    ...(PolicyArns === undefined ? {} : { policyArns: PolicyArns.map(({ arn = '' }) => ({ arn })) }),
  };
}
