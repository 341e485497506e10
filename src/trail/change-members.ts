/**
 * What the trails of an organization do when an account joins or leaves it.
 *
 * The change is a place in the journal, as every change of a trail: what was accepted before it is delivered for the accounts of then,
 * what comes after it for those of now, however late a follower reads it and however often.
 * Source: cloudtrail.md §7.7; features.md TR2.
 */
import { ApiError } from '../api/api-error.ts';
import type { Call } from '../api/operation.ts';
import type { AccountId } from '../event/types.ts';
import type { CatalogChange } from '../store/catalog.ts';
import type { Organization } from '../store/organization.ts';
import { changeOf, deliverySettings, type OperationDeps } from './change-trail.ts';
import { organizationTrails } from './find-trail.ts';
import { queueLogsChange } from './logs/logs-state.ts';
import { changeKey } from './trail-state.ts';

export interface MembersChange {
  readonly organization: Pick<Organization, 'id' | 'management'>;
  /** As they become, by number. */
  readonly members: readonly AccountId[];
  readonly call: Call;
  /** Name of the call. */
  readonly event: string;
  /** Appends the fact of the change; gives its sequence. */
  readonly appendFact: () => Promise<bigint>;
  /** Documents of the organization, to be changed in the same commit. */
  readonly alongside: readonly CatalogChange[];
}

export async function changeMembers(deps: OperationDeps, change: MembersChange): Promise<void> {
  await deps.turns.alone(async () => {
    const { call, event, members } = change;
    const trails = (await organizationTrails(deps.catalog, change.organization)).map(({ value }) => value);
    // Looked at before; one may have been made meanwhile.
    if (members.length === 0 && trails.length > 0)
      throw new ApiError('ConcurrentModificationException', 'The organization has CloudTrail trails.');
    const release = deps.hold(trails);
    try {
      const sequence = await change.appendFact();
      const queued: CatalogChange[] = [];
      for (const trail of trails) {
        const settings = await deliverySettings(deps.catalog, trail, members);
        const value = changeOf({ call, kind: 'update', event }, { sequence, settings });
        const ofLogs = queueLogsChange({ before: trail, after: trail, sequence: value.sequence }, settings);
        queued.push({ key: changeKey(trail, value.sequence), value, expected: 0 }, ...ofLogs);
      }
      await deps.catalog.commit([...change.alongside, ...queued]);
    } finally {
      release();
    }
    for (const trail of trails) deps.wake(trail);
  });
}
