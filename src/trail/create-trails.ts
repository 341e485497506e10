/**
 * Trails: their operations, and the followers that deliver for them.
 *
 * Two kinds of follower: one puts log files and digests, the other log events; and what tells topics of deliveries (`crew.ts`). They run by themselves (`run`), or one
 * step at a time for the simulation (`tick`).
 */
import assert from 'node:assert/strict';
import type { Operation } from '../api/operation.ts';
import { type LogGroups, LogGroupsError } from '../store/log-groups.ts';
import type { MessageLine } from '../store/message-line.ts';
import type { Organization } from '../store/organization.ts';
import { changeMembers, type MembersChange } from './change-members.ts';
import type { OperationDeps } from './change-trail.ts';
import { ChangeTurns } from './change-turns.ts';
import { createTrail } from './create-trail.ts';
import { Crew } from './crew.ts';
import { deleteTrail } from './delete-trail.ts';
import { describeTrails } from './describe-trails.ts';
import { checkTrail } from './examine-trail.ts';
import { findGone, type GoneEvidence } from './find-gone.ts';
import { organizationTrails } from './find-trail.ts';
import { TrailFollower, type TrailHealth } from './follow-trail.ts';
import { getEventConfiguration } from './get-event-configuration.ts';
import { getEventSelectors } from './get-event-selectors.ts';
import { getExpirations } from './get-expirations.ts';
import { getTrail } from './get-trail.ts';
import { getTrailEvidence } from './get-trail-evidence.ts';
import { getTrailStatus } from './get-trail-status.ts';
import { HeldJournal } from './held-journal.ts';
import { listTrails } from './list-trails.ts';
import { LogsFollower } from './logs/follow-logs.ts';
import { LOGS_CHANGE, LOGS_STATE } from './logs/logs-state.ts';
import { NOTICE } from './notices/notice.ts';
import { noticeLines } from './notices/notice-lines.ts';
import { NoticeSender } from './notices/send-notices.ts';
import { putEventConfiguration } from './put-event-configuration.ts';
import { putEventSelectors } from './put-event-selectors.ts';
import { readDelivery } from './read-delivery.ts';
import { type LostObject, scrubBucket } from './scrub-bucket.ts';
import { startLogging } from './start-logging.ts';
import { stopLogging } from './stop-logging.ts';
import { addTags, listTags, removeTags } from './tags.ts';
import { type Trail, type TrailId, trailKey } from './trail.ts';
import type { TrailDeps } from './trail-deps.ts';
import type { TrailStep } from './trail-step.ts';
import { updateTrail } from './update-trail.ts';

const FLUSH_LIMIT_MS = 5_000;

export interface Trails {
  /** By service. Each operation has its own input, checked by shape before it is called. */
  readonly operations: { readonly cloudtrail: readonly Operation[]; readonly snowtrail: readonly Operation[] };
  /** Carries out a change of an organization's members; see `change-members.ts`. */
  changeMembers(change: MembersChange): Promise<void>;
  /** Whether an organization has trails. */
  hasOrganizationTrails(organization: Pick<Organization, 'id' | 'management'>): Promise<boolean>;
  /** Delivers until `signal` aborts; resolves when no step is under way any more. */
  run(signal: AbortSignal): Promise<void>;
  /** Does the work that is due, once; for the simulation. False when there was none. */
  tick(): Promise<boolean>;
  /**
   * Delivers what is in the journal now, as far as the buckets take it. For a server that is about to stop.
   * @param limitMs It resolves after that in any case; 5 seconds by default.
   */
  flushNow(limitMs?: number): Promise<void>;
  /**
   * Looks once, one trail after the other, whether the last day's objects are still in the buckets, and puts again what is gone.
   * Never throws: a bucket that cannot be looked at is told, and the next one is.
   */
  scrub(signal: AbortSignal, tell: (found: ScrubFinding) => void): Promise<void>;
  /** Tells what this server's own store lacks at a glance of what trails put there. Never throws, as `scrub`. */
  findGone(signal: AbortSignal, tell: (found: ScrubFinding) => void): Promise<void>;
  /** Followers of the trails that are there, logging or not; for accounting, metrics and retention. */
  followers(): readonly (TrailFollower | LogsFollower)[];
  /** Those of them that deliver log events. */
  logsFollowers(): readonly LogsFollower[];
  /** How the topics of trails are told of deliveries. */
  noticeLines(): Promise<readonly MessageLine[]>;
  /** By the follower's name; `undefined` when there is no such trail. */
  health(name: string): TrailHealth | undefined;
}

/** What a look at the buckets brought up. */
export type ScrubFinding = LostObject | GoneEvidence | { readonly trail: string; readonly outcome: 'failed'; readonly error: unknown };

/**
 * Reads the trails from the catalog; nothing is delivered yet.
 * @throws Error when the settings make no sense.
 */
export async function createTrails(deps: TrailDeps): Promise<Trails> {
  const { digestIntervalMs, flushIntervalMs } = deps;
  assert(digestIntervalMs >= 1000 && digestIntervalMs % 1000 === 0, `a digest's interval is whole seconds, not ${digestIntervalMs} ms`);
  assert(flushIntervalMs >= 1, `a flush interval is at least 1 ms, not ${flushIntervalMs}`);
  const { catalog, clock } = deps;
  const inTurn = oneAfterTheOther();
  const notices = new Crew({ catalog, clock, stateKind: NOTICE, waitingKind: NOTICE, make: (id) => new NoticeSender(deps, id) });
  await notices.open();
  const held = new HeldJournal(deps.journal);
  const ofFollowers = (id: TrailId): TrailDeps => ({ ...deps, journal: held.of(id) });
  const crew = new Crew({
    catalog,
    clock,
    stateKind: 'trail-state',
    waitingKind: 'trail-change',
    make: (id) => new TrailFollower({ ...ofFollowers(id), onNotice: (trail) => notices.wake(trail) }, id, inTurn),
  });
  await crew.open();
  const { logGroups = UNREACHABLE } = deps;
  const logs = new Crew({
    catalog,
    clock,
    stateKind: LOGS_STATE,
    waitingKind: LOGS_CHANGE,
    make: (id) => new LogsFollower({ ...ofFollowers(id), logGroups }, id),
  });
  await logs.open();
  const wake = (trail: TrailId) => {
    crew.wake(trail);
    notices.wake(trail);
    logs.wake(trail);
  };
  const followers = () => [...crew.followers(), ...logs.followers()];
  const ofOperations: OperationDeps = { ...deps, turns: new ChangeTurns(), wake, hold: (trails) => held.hold(trails) };
  return {
    operations: operations(ofOperations),
    changeMembers: (change) => changeMembers(ofOperations, change),
    hasOrganizationTrails: async ({ id, management }) => (await organizationTrails(catalog, { id, management })).length > 0,
    run: async (signal) => {
      // One listener at the caller's signal, however many crews there are.
      const ended = AbortSignal.any([signal]);
      await Promise.all([crew.run(ended), logs.run(ended), notices.run(ended)]);
    },
    tick: async () => [await crew.tick(), await logs.tick(), await notices.tick()].includes(true),
    flushNow: async (limitMs = FLUSH_LIMIT_MS) => {
      const done = new AbortController();
      const flushFiles = async () => {
        await crew.flush(done.signal);
        await notices.flush(done.signal);
      };
      const flushes = Promise.all([flushFiles(), logs.flush(done.signal)]);
      await Promise.race([flushes, clock.sleep(limitMs, done.signal)]);
      done.abort();
    },
    scrub: (signal, tell) => lookAtEach(crew, signal, tell, (id) => scrubBucket(deps, id, signal, tell)),
    findGone: (signal, tell) =>
      lookAtEach(crew, signal, tell, async (id) => {
        const trail = await deps.catalog.get<Trail>(trailKey(id));
        const gone = trail && (await findGone(deps, trail.value, await readDelivery(deps.catalog, trail.value)));
        if (gone !== undefined) tell(gone);
      }),
    followers,
    logsFollowers: () => logs.followers(),
    noticeLines: () => noticeLines(catalog),
    health: (name) =>
      followers()
        .find((follower) => follower.name === name)
        ?.health(),
  };
}

/** Looks at one trail's bucket after the other; one that cannot be looked at is told. */
async function lookAtEach(
  crew: Crew<TrailFollower>,
  signal: AbortSignal,
  tell: (found: ScrubFinding) => void,
  look: (trail: TrailId) => Promise<void>,
): Promise<void> {
  for (const { id, name } of crew.followers()) {
    if (signal.aborted) return;
    try {
      await look(id);
    } catch (error) {
      if (!signal.aborted) tell({ trail: name, outcome: 'failed', error });
    }
  }
}

function operations(deps: OperationDeps): Trails['operations'] {
  return {
    cloudtrail: [
      createTrail(deps),
      updateTrail(deps),
      deleteTrail(deps),
      describeTrails(deps),
      getTrail(deps),
      listTrails(deps),
      getTrailStatus(deps),
      startLogging(deps),
      stopLogging(deps),
      putEventSelectors(deps),
      getEventSelectors(deps),
      putEventConfiguration(deps),
      getEventConfiguration(deps),
      addTags(deps),
      removeTags(deps),
      listTags(deps),
    ] as readonly Operation[],
    snowtrail: [getTrailEvidence(deps), getExpirations(deps), checkTrail(deps)] as readonly Operation[],
  };
}

/** Where no CloudWatch Logs is configured any more: what waits goes on waiting, and says why. */
const UNREACHABLE: LogGroups = {
  reaches: () => false,
  createStream: () => Promise.reject(notConfigured()),
  putEvents: () => Promise.reject(notConfigured()),
  close: async () => undefined,
};

function notConfigured(): LogGroupsError {
  return new LogGroupsError('NotConfigured', 'no CloudWatch Logs is configured: `delivery.logs` is missing');
}

/** Runs work in the order in which it was asked for, one at a time. */
function oneAfterTheOther(): TrailStep['inTurn'] {
  let last: Promise<unknown> = Promise.resolve();
  return (change) => {
    const result = last.then(change);
    last = result.catch(() => undefined);
    return result;
  };
}
