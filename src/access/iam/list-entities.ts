/**
 * `ListUsers`, `ListGroups`, `ListRoles`: all of an account below a path.
 */
import { type EntityDocuments, type EntityKind, KINDS } from '../identity-documents.ts';
import type { IamDeps, IamOperation } from './iam-deps.ts';
import { listPage, type PageInput } from './page.ts';

export type ListInput = PageInput & { readonly PathPrefix?: string };

/** @param answer The answer with the entities of a page. */
export function listEntities<Kind extends EntityKind>(
  deps: IamDeps,
  kind: Kind,
  answer: (page: readonly EntityDocuments[Kind][]) => object,
): IamOperation<ListInput> {
  const operation = `List${kind}s`;
  return {
    name: operation,
    isReadOnly: true,
    access: (call, { PathPrefix = '/' }) => [
      { action: `iam:${operation}`, resource: `arn:aws:iam::${call.account}:${KINDS[kind].noun}${PathPrefix}` },
    ],
    decide: async (call, input) => {
      const { PathPrefix: prefix = '/' } = input;
      const all = (await deps.identities.list(kind, call.account)).filter(({ path }) => path.startsWith(prefix));
      const { items, more } = await listPage(deps, { call, operation, input }, all, ({ name }) => name);
      return { output: { ...answer(items), ...more } };
    },
  };
}
