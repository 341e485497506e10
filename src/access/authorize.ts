/**
 * Decides whether a call may be carried out: joins the caller's policies, the organization's and the resource's own.
 *
 * Denies by default. A policy that cannot be read allows nothing. The message of a refusal names the kind of policy that
 * decided, in the service's words; of another account's resource it says nothing but that no policy there allows the call,
 * whatever the policy says and whether there is such a resource (A12). The statement itself is kept for the call's event.
 *
 * What is known of a resource is found here, by one function for all callers: `explain` goes the very same way and cannot tell
 * anything else than a call.
 * Source: IAM User Guide, "Policy evaluation logic", "Troubleshoot access denied error messages"; reliability.md A09–A18.
 */
import type { AccessDecision, AccessRequest, ResourceAccess } from '../api/access.ts';
import { ApiError } from '../api/api-error.ts';
import type { FindResource } from '../api/find-resource.ts';
import type { Authorize, Call } from '../api/operation.ts';
import type { AccountId } from '../event/types.ts';
import { type AccessVerdict, type CallerPolicies, evaluateAccess, type NamedPolicy } from '../policy/evaluate-access.ts';
import { statementName } from '../policy/evaluate-policy.ts';
import { policyKindWords, refusalReason } from '../policy/explain-verdict.ts';
import { isRoot, type PolicyPrincipal } from '../policy/match-principal.ts';
import { type ParsedPolicy, type PolicyForm, parsePolicy } from '../policy/parse-policy.ts';
import type { PolicyContext } from '../policy/policy-pattern.ts';
import type { FindPrincipalPolicies, PolicyDocument, PrincipalPolicies } from './principal-policies.ts';
import { requestContext } from './request-context.ts';

/** Most parsed policies of resources that are kept. */
const PARSED_MAX = 1_000;

type Refusal = AccessVerdict & { readonly kind: 'denied' | 'not-allowed' };

/** Operations that nobody needs a policy for, and that no policy can deny. Source: STS API Reference. */
const FREE: ReadonlySet<string> = new Set(['sts:getcalleridentity', 'sts:getsessiontoken']);

/** Whether users and roles of the first account reach the others: docs/decisions/0023-reach-of-the-first-account.md. */
const REACH = 'snowtrail:ReachAllAccounts';

/** The organization of an account, as far as conditions tell of it. */
type FindOrganization = (account: AccountId) => Pick<PrincipalPolicies, 'organizationId' | 'organizationPath'>;

export interface AuthorizerDeps {
  readonly findPolicies: FindPrincipalPolicies;
  readonly findResource: FindResource;
  readonly organizationOf: FindOrganization;
}

/** `free`: nobody needs a policy for it. */
type Verdict = AccessVerdict | { readonly kind: 'free' };

/** What was decided about a request, and the resource that it was decided for. */
export interface Decided {
  readonly verdict: Verdict;
  readonly request: AccessRequest;
  readonly owner: AccountId;
}

export class Authorizer {
  readonly #findPolicies: FindPrincipalPolicies;
  readonly #findResource: FindResource;
  readonly #organizationOf: FindOrganization;
  /** Policies of callers as long as they are the current ones, and of resources by their text. */
  readonly #callers = new WeakMap<PrincipalPolicies, CallerPolicies>();
  readonly #parsed = new Map<string, ParsedPolicy>();
  readonly #decisions = new WeakMap<Call, AccessDecision>();

  constructor({ findPolicies, findResource, organizationOf }: AuthorizerDeps) {
    this.#findPolicies = findPolicies;
    this.#findResource = findResource;
    this.#organizationOf = organizationOf;
  }

  /** @throws ApiError AccessDeniedException, under the name that it has in the action's service; InvalidClientTokenId */
  readonly authorize: Authorize = async (call, requests) => {
    if (requests.length === 0) return;
    if (isUnprovenSession(call) && requests.some(({ action }) => isOfIam(action))) throw invalidToken();
    const decide = await this.#decider(call);
    for (const request of requests) {
      const decided = await decide(request);
      const { verdict } = decided;
      const decision = decisionOf(decided);
      // Of several the last one that let it through, or the one that did not.
      if (decision !== undefined) this.#decisions.set(call, decision);
      if (verdict.kind === 'denied' || verdict.kind === 'not-allowed') throw notAuthorized(call, { ...decided, verdict, named: request });
    }
  };

  /**
   * The call as its operation is to see it: of the first account's users and roles only those reach beyond it whom a policy allows
   * `snowtrail:ReachAllAccounts`. All others are as those of any account.
   */
  readonly withReach = async (call: Call): Promise<Call> => {
    const { principal } = call;
    if (!principal.isAdministrator || principal.type === 'Root') return call;
    const { verdict } = await this.explain(call, { action: REACH, resource: '*' });
    if (verdict.kind === 'allowed') return call;
    return { ...call, principal: { ...principal, isAdministrator: false, isOfFirstAccount: true } };
  };

  /** What would become of such a call, with all that decides it. Nothing is kept of it. */
  async explain(call: Call, request: AccessRequest): Promise<Decided> {
    return (await this.#decider(call))(request);
  }

  async #decider(call: Call): Promise<(request: AccessRequest) => Promise<Decided>> {
    const found = this.#findPolicies(call.principal);
    const policies = found instanceof Promise ? await found : found;
    const context = requestContext(call, policies);
    return async (request) => {
      const { action, resource, found: given } = request;
      if (FREE.has(action.toLowerCase())) return { verdict: { kind: 'free' }, request, owner: call.account };
      const about = given ?? (await this.#findResource({ call, action, resource })) ?? {};
      const { arn = resource, owner = call.account } = about;
      const meant = { ...request, resource: arn };
      return { verdict: this.#evaluate(call, policies, { request: meant, about, owner, context }), request: meant, owner };
    };
  }

  /** Which statement decided about the call; `undefined` for the root of an account, that needs none, and before it was asked. */
  decisionOf(call: Call): AccessDecision | undefined {
    return this.#decisions.get(call);
  }

  #evaluate(
    call: Call,
    policies: PrincipalPolicies,
    {
      request: { action, resource, context },
      about,
      owner,
      context: ofCall,
    }: {
      readonly request: AccessRequest;
      readonly about: ResourceAccess;
      readonly owner: AccountId;
      readonly context: PolicyContext;
    },
  ): AccessVerdict {
    const principal = policyPrincipal(call, policies);
    // A root cannot assume a role, whatever trusts it.
    if (isRoot(principal) && action.toLowerCase() === 'sts:assumerole') return { kind: 'not-allowed', policyKind: 'trust' };
    const { organizationId, organizationPath } = owner === call.account ? policies : this.#organizationOf(owner);
    const all = new Map(ofCall);
    all.set('aws:resourceaccount', [owner]);
    if (organizationId !== undefined) all.set('aws:resourceorgid', [organizationId]);
    if (organizationPath !== undefined) all.set('aws:resourceorgpaths', [organizationPath]);
    for (const [key, values] of about.context ?? []) all.set(key, values);
    for (const [key, values] of context ?? []) all.set(key, values);
    const question = {
      ...{ principal, action, resource, context: all, owner },
      isPolicyRequired: about.isPolicyRequired ?? false,
      caller: this.#callerPolicies(policies),
    };
    if (about.policy === undefined) return evaluateAccess(question);
    const parsed = this.#parse(about.policy, action.startsWith('sts:') ? 'trust' : 'resource');
    // What cannot be read may hold a denial.
    if (parsed.kind === 'malformed') return { kind: 'not-allowed', policyKind: 'resource' };
    return evaluateAccess({ ...question, resourcePolicy: { name: `the policy of ${resource}`, policy: parsed.policy } });
  }

  #callerPolicies(policies: PrincipalPolicies): CallerPolicies {
    const known = this.#callers.get(policies);
    if (known !== undefined) return known;
    const { identity, boundary, session, serviceControl } = policies;
    const caller: CallerPolicies = {
      identity: identity.map((each) => this.#named(each, 'identity')),
      ...(boundary === undefined ? {} : { boundary: this.#named(boundary, 'identity') }),
      ...(session === undefined ? {} : { session: session.map((each) => this.#named(each, 'identity')) }),
      serviceControl: serviceControl.map((level) => level.map((each) => this.#named(each, 'service-control'))),
    };
    this.#callers.set(policies, caller);
    return caller;
  }

  /** @throws Error when it is none: it was checked when it was put, and to pass over it could pass over a denial. */
  #named({ name, document }: PolicyDocument, form: PolicyForm): NamedPolicy {
    const parsed = this.#parse(document, form);
    if (parsed.kind === 'malformed') throw new Error(`${name} is no policy: ${parsed.reason}`);
    return { name, policy: parsed.policy };
  }

  #parse(document: string, form: PolicyForm): ParsedPolicy {
    const key = `${form} ${document}`;
    const known = this.#parsed.get(key);
    if (known !== undefined) return known;
    const parsed = parsePolicy(document, form);
    if (this.#parsed.size >= PARSED_MAX) this.#parsed.delete(this.#parsed.keys().next().value!);
    this.#parsed.set(key, parsed);
    return parsed;
  }
}

/** Keys of `GetSessionToken` for which no second factor was shown: whoever stole a key must not make lasting ones of them. */
function isUnprovenSession({ principal: { session } }: Call): boolean {
  return session !== undefined && session.role === undefined && session.mfaAuthenticatedAtMs === undefined;
}

/** True for operations of IAM; other services ask for `iam:PassRole`. */
function isOfIam(action: string): boolean {
  return action.startsWith('iam:') && action !== 'iam:PassRole';
}

/** As IAM answers. */
function invalidToken(): ApiError {
  return new ApiError('InvalidClientTokenId', 'The security token included in the request is invalid', { status: 403 });
}

function policyPrincipal({ principal }: Call, { roleArn }: PrincipalPolicies): PolicyPrincipal {
  const { account, arn, identityProvider } = principal;
  if (identityProvider !== undefined) return { kind: 'federated', provider: identityProvider };
  return { kind: 'account', account, arn, ...(roleArn === undefined ? {} : { roleArn }) };
}

/** The decision for the record of a call; none for the root of an account, that needs no policy, and for what is free. */
export function decisionOf({ request: { action, resource }, verdict }: Decided): AccessDecision | undefined {
  switch (verdict.kind) {
    case 'free':
    case 'allowed-to-root':
      return undefined;
    case 'not-allowed':
      return { action, resource, outcome: verdict.kind, policyType: policyKindWords(verdict.policyKind) };
    case 'allowed':
    case 'denied': {
      const { policyKind, policyName, statement } = verdict.by;
      const policyType = policyKindWords(policyKind);
      return { action, resource, outcome: verdict.kind, policyType, policy: policyName, statement: statementName(statement) };
    }
  }
}

/** Services that have an own name for it. */
const CODES: ReadonlyMap<string, string> = new Map([
  ['s3', 'AccessDenied'],
  ['iam', 'AccessDenied'],
  ['sts', 'AccessDenied'],
  ['sns', 'AuthorizationError'],
]);

export const ROOTS_ASSUME_NOTHING = 'Roles may not be assumed by root accounts.';

/** @param named The request as it was made: it says no more of what it names than the caller knew. */
function notAuthorized(
  { principal }: Call,
  { request, owner, verdict, named }: Decided & { readonly verdict: Refusal; readonly named: AccessRequest },
): ApiError {
  const { action } = named;
  if (principal.type === 'WebIdentityUser') return new ApiError('AccessDenied', `Not authorized to perform ${action}`, { status: 403 });
  if (principal.type === 'Root' && action === 'sts:AssumeRole') return new ApiError('AccessDenied', ROOTS_ASSUME_NOTHING, { status: 403 });
  const service = action.slice(0, action.indexOf(':')).toLowerCase();
  const policyKind = verdict.kind === 'denied' ? verdict.by.policyKind : verdict.policyKind;
  const isTheirs = owner !== principal.account && (policyKind === 'resource' || policyKind === 'trust');
  const told: Refusal = isTheirs ? { kind: 'not-allowed', policyKind } : verdict;
  const resource = owner === principal.account ? request.resource : named.resource;
  // S3 tells other accounts nothing, and writes the ARN in quotes.
  const where = service === 's3' ? `"${resource}"` : resource;
  const why = service === 'sts' ? '' : ` ${refusalReason(told, action)}`;
  const message =
    service === 's3' && isTheirs
      ? 'Access Denied'
      : `User: ${principal.arn} is not authorized to perform: ${action} on resource: ${where}${why}`;
  return new ApiError(CODES.get(service) ?? 'AccessDeniedException', message, { status: 403 });
}
