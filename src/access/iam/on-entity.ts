/**
 * What operations on one user, group or role share: the input names it, the caller's right on it is asked for, it has to be there.
 */
import type { AccessRequest } from '../../api/access.ts';
import type { Call, Decision } from '../../api/operation.ts';
import type { CatalogDocument } from '../../store/catalog.ts';
import { type EntityDocuments, type EntityKind, KINDS } from '../identity-documents.ts';
import { entityAccess, type IamDeps, type IamOperation } from './iam-deps.ts';

/** Names of entities by the member of their kind. */
export interface NamedEntity {
  readonly UserName?: string;
  readonly GroupName?: string;
  readonly RoleName?: string;
}

/** The name of the entity that the operation is about; the model demands it. */
function entityName(kind: EntityKind, input: NamedEntity): string {
  return input[KINDS[kind].nameMember]!;
}

interface OnEntity<Kind extends EntityKind, Input> {
  readonly name: string;
  readonly isReadOnly: boolean;
  /** Condition keys beside those of the entity itself. */
  readonly context?: (input: Input) => AccessRequest['context'];
  /** @param found The entity as it is now. */
  readonly decide: (
    found: CatalogDocument<EntityDocuments[Kind]>,
    input: Input,
    call: Call,
  ) => Decision<object> | Promise<Decision<object>>;
}

/** An operation on the entity that the input names. */
export function onEntity<Kind extends EntityKind, Input extends NamedEntity>(
  deps: IamDeps,
  kind: Kind,
  { name: action, isReadOnly, context, decide }: OnEntity<Kind, Input>,
): IamOperation<Input> {
  return {
    name: action,
    isReadOnly,
    access: (call, input) => {
      const keys = context?.(input);
      return entityAccess(deps, call, { action, kind, name: entityName(kind, input), ...(keys === undefined ? {} : { context: keys }) });
    },
    decide: async (call, input) => decide(await deps.identities.need(kind, call.account, entityName(kind, input)), input, call),
  };
}
