/**
 * Decides whether a call may be carried out: joins the caller's policies, the organization's and the resource's own.
 *
 * Denies by default. A policy that cannot be read allows nothing. The message of a refusal names the kind of policy that
 * decided, in the service's words; of another account's resource it says nothing but that no policy there allows the call,
 * whatever the policy says and whether there is such a resource (A12). The statement itself is kept for the call's event.
 * Source: IAM User Guide, "Policy evaluation logic", "Troubleshoot access denied error messages"; reliability.md A09–A18.
 */
import type { AccessDecision, AccessRequest } from '../api/access.ts';
import { ApiError } from '../api/api-error.ts';
import type { Authorize, Call } from '../api/operation.ts';
import { type AccessVerdict, type CallerPolicies, evaluateAccess, type NamedPolicy } from '../policy/evaluate-access.ts';
import { statementName } from '../policy/evaluate-policy.ts';
import { policyKindWords, refusalReason } from '../policy/explain-verdict.ts';
import type { PolicyPrincipal } from '../policy/match-principal.ts';
import { type ParsedPolicy, type PolicyForm, parsePolicy } from '../policy/parse-policy.ts';
import type { PolicyContext } from '../policy/policy-pattern.ts';
import type { FindPrincipalPolicies, PolicyDocument, PrincipalPolicies } from './principal-policies.ts';
import { requestContext } from './request-context.ts';

/** Most parsed policies of resources that are kept. */
const PARSED_MAX = 1_000;

type Refusal = AccessVerdict & { readonly kind: 'denied' | 'not-allowed' };

export class Authorizer {
  readonly #findPolicies: FindPrincipalPolicies;
  /** Policies of callers as long as they are the current ones, and of resources by their text. */
  readonly #callers = new WeakMap<PrincipalPolicies, CallerPolicies>();
  readonly #parsed = new Map<string, ParsedPolicy>();
  readonly #decisions = new WeakMap<Call, AccessDecision>();

  constructor(findPolicies: FindPrincipalPolicies) {
    this.#findPolicies = findPolicies;
  }

  /** @throws ApiError AccessDeniedException, under the name that it has in the action's service; InvalidClientTokenId */
  readonly authorize: Authorize = async (call, requests) => {
    if (requests.length === 0) return;
    if (isUnprovenSession(call) && requests.some(({ action }) => isOfIam(action))) throw invalidToken();
    const evaluate = await this.#evaluator(call);
    for (const request of requests) {
      const verdict = evaluate(request);
      const decision = decisionOf(request, verdict);
      // Of several the last one that let it through, or the one that did not.
      if (decision !== undefined) this.#decisions.set(call, decision);
      if (verdict.kind === 'denied' || verdict.kind === 'not-allowed') throw notAuthorized(call, request, verdict);
    }
  };

  /** What would become of such a call, with all that decides it. Nothing is kept of it. */
  async explain(call: Call, request: AccessRequest): Promise<AccessVerdict> {
    return (await this.#evaluator(call))(request);
  }

  async #evaluator(call: Call): Promise<(request: AccessRequest) => AccessVerdict> {
    const found = this.#findPolicies(call.principal);
    const policies = found instanceof Promise ? await found : found;
    const context = requestContext(call, policies);
    return (request) => this.#evaluate(call, policies, { request, context });
  }

  /** Which statement decided about the call; `undefined` for the root of an account, that needs none, and before it was asked. */
  decisionOf(call: Call): AccessDecision | undefined {
    return this.#decisions.get(call);
  }

  #evaluate(
    call: Call,
    policies: PrincipalPolicies,
    { request, context }: { readonly request: AccessRequest; readonly context: PolicyContext },
  ): AccessVerdict {
    const { action, resource, owner = call.account, resourcePolicy, isPolicyRequired = false } = request;
    const all = new Map(context);
    all.set('aws:resourceaccount', [owner]);
    for (const [key, values] of request.context ?? []) all.set(key, values);
    const question = {
      principal: policyPrincipal(call, policies),
      action,
      resource,
      context: all,
      owner,
      isPolicyRequired,
      caller: this.#callerPolicies(policies),
    };
    if (resourcePolicy === undefined) return evaluateAccess(question);
    const parsed = this.#parse(resourcePolicy, action.startsWith('sts:') ? 'trust' : 'resource');
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

/** The decision for the record of a call; none for the root of an account, that needs no policy. */
export function decisionOf({ action, resource }: AccessRequest, verdict: AccessVerdict): AccessDecision | undefined {
  switch (verdict.kind) {
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

function notAuthorized({ principal }: Call, { action, resource, owner = principal.account }: AccessRequest, verdict: Refusal): ApiError {
  if (principal.type === 'WebIdentityUser') return new ApiError('AccessDenied', `Not authorized to perform ${action}`, { status: 403 });
  const service = action.slice(0, action.indexOf(':')).toLowerCase();
  const policyKind = verdict.kind === 'denied' ? verdict.by.policyKind : verdict.policyKind;
  const isTheirs = owner !== principal.account && (policyKind === 'resource' || policyKind === 'trust');
  const told: Refusal = isTheirs ? { kind: 'not-allowed', policyKind } : verdict;
  // S3 tells other accounts nothing, and writes the ARN in quotes.
  const where = service === 's3' ? `"${resource}"` : resource;
  const why = service === 'sts' ? '' : ` ${refusalReason(told, action)}`;
  const message =
    service === 's3' && isTheirs
      ? 'Access Denied'
      : `User: ${principal.arn} is not authorized to perform: ${action} on resource: ${where}${why}`;
  return new ApiError(CODES.get(service) ?? 'AccessDeniedException', message, { status: 403 });
}
