/**
 * Evaluates a resource policy, such as a bucket's, for one request.
 *
 * A statement that denies wins over all that allow; what no statement allows is not allowed. Nothing is decided about
 * the caller's own policies: the caller of this function joins both.
 *
 * Pure. Identity policies, boundaries, session policies and further condition operators follow with IAM: they are more
 * statements for the same evaluation.
 * Source: IAM User Guide, "Policy evaluation logic", "IAM JSON policy elements".
 */
import { matchCondition, matchPattern, type PatternScope, type PolicyContext } from './match-condition.ts';
import type { Policy, PolicyPrincipals, PolicyStatement } from './parse-policy.ts';

/** Who asks. */
export type PolicyPrincipal =
  /** A service by its name, such as `cloudtrail.amazonaws.com`. */
  { readonly kind: 'service'; readonly service: string } | { readonly kind: 'account'; readonly account: string; readonly arn: string };

export interface PolicyRequest {
  readonly principal: PolicyPrincipal;
  /** Such as `s3:PutObject`. */
  readonly action: string;
  /** ARN. */
  readonly resource: string;
  readonly context: PolicyContext;
}

export type PolicyVerdict =
  | { readonly kind: 'allowed'; readonly statement: PolicyStatement }
  /** A statement denies it. */
  | { readonly kind: 'denied'; readonly statement: PolicyStatement }
  /** No statement is about it. */
  | { readonly kind: 'not-allowed' };

export function evaluatePolicy(policy: Policy, request: PolicyRequest): PolicyVerdict {
  const scope: PatternScope = { context: request.context, hasVariables: policy.version === '2012-10-17' };
  const applying = policy.statements.filter((statement) => applies(statement, request, scope));
  const denying = applying.find((statement) => statement.effect === 'Deny');
  if (denying !== undefined) return { kind: 'denied', statement: denying };
  const allowing = applying.find((statement) => statement.effect === 'Allow');
  return allowing === undefined ? { kind: 'not-allowed' } : { kind: 'allowed', statement: allowing };
}

/** A name for people: the statement's `Sid`, else its place. */
export function statementName(statement: PolicyStatement): string {
  return statement.sid === undefined || statement.sid === '' ? `Statement[${statement.index}]` : statement.sid;
}

function applies(statement: PolicyStatement, request: PolicyRequest, scope: PatternScope): boolean {
  if (includesPrincipal(statement.principals, request.principal) === statement.isPrincipalNegated) return false;
  if (includesAction(statement.actions, request.action) === statement.isActionNegated) return false;
  const isResource = statement.resources.some((pattern) => matchPattern(pattern, request.resource, scope));
  if (isResource === statement.isResourceNegated) return false;
  const verdicts = statement.conditions.map((condition) => matchCondition(condition, scope));
  if (verdicts.includes('not-met')) return false;
  // What we can't decide speaks against the caller.
  return statement.effect === 'Deny' || !verdicts.includes('unknown');
}

function includesPrincipal(principals: PolicyPrincipals, principal: PolicyPrincipal): boolean {
  if (principals.kind === 'everyone' || principals.aws.includes('*')) return true;
  if (principal.kind === 'service') return principals.service.includes(principal.service);
  const { account, arn } = principal;
  return principals.aws.some((name) => name === account || name === arn || isRootOf(name, account));
}

/** `arn:aws:iam::<account>:root` stands for the account as a whole. */
function isRootOf(name: string, account: string): boolean {
  return /^arn:[a-z0-9-]+:iam::[0-9]{12}:root$/.test(name) && name.split(':')[4] === account;
}

function includesAction(patterns: readonly string[], action: string): boolean {
  const wanted = action.toLowerCase();
  const noVariables: PatternScope = { context: new Map(), hasVariables: false };
  return patterns.some((pattern) => matchPattern(pattern.toLowerCase(), wanted, noVariables));
}
