/**
 * How the choke point learns of the resource that a call names: of every call and of every explanation by the same function.
 */
import type { ResourceAccess } from './access.ts';
import type { Call } from './operation.ts';

/** Who asks for what: a call that is made, or one that is only explained. */
export interface ResourceQuestion {
  readonly call: Pick<Call, 'principal' | 'account'>;
  readonly action: string;
  /** As in an `AccessRequest`. */
  readonly resource: string;
}

/** Finds what is known of a resource; `undefined` of one that is not there, or that brings nothing: it counts as the caller's. */
export type FindResource = (question: ResourceQuestion) => Promise<ResourceAccess | undefined>;
