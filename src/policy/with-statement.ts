/**
 * A policy with one statement more, as whoever lacks a right is told it.
 */
import { parsePolicy } from './parse-policy.ts';

/** @param policy As JSON. Where there is none, or one that cannot be read, the statement is all that the answer says. */
export function withStatement(policy: string | undefined, statement: object): string {
  const isRead = policy !== undefined && parsePolicy(policy).kind === 'policy';
  const { Statement: before = [], ...rest } = (isRead ? JSON.parse(policy) : { Version: '2012-10-17' }) as { readonly Statement?: unknown };
  return JSON.stringify({ ...rest, Statement: [...(Array.isArray(before) ? (before as unknown[]) : [before]), statement] });
}
