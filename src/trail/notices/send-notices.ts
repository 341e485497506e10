/**
 * Tells a trail's topic of its deliveries, one after the other, and tries again while it does not listen.
 *
 * What waits is in the catalog, so that it outlives a restart; a topic that is away delays nothing else. A notice is taken away when
 * the topic has its message: after a crash between the two it is told twice. What nobody took for a day is given up, and counted.
 * Notices go to the topic that the trail has when they are sent, and to nobody once it has none.
 *
 * Specified in cloudtrail.md §7.5; reliability.md F25.
 */
import type { CatalogChange, CatalogDocument } from '../../store/catalog.ts';
import { type Topics, TopicsError } from '../../store/topics.ts';
import type { CrewMember } from '../crew.ts';
import { RETRY_MAX_MS, RetriedSteps } from '../retried-steps.ts';
import { type Trail, type TrailId, trailKey } from '../trail.ts';
import type { TrailDeps } from '../trail-deps.ts';
import { faultOfTopic } from './check-topic.ts';
import { messagesOf, NO_NOTICES, type Notice, type NoticeStatus, noticeStatusKey, noticesKey } from './notice.ts';
import { noticesName } from './notice-lines.ts';

/** Notices that are sent in one go. */
const ROUND = 50;
const LIFE_MS = 24 * 3600 * 1000;

export type NoticeDeps = Pick<TrailDeps, 'catalog' | 'clock' | 'chance' | 'report'> & { readonly topics: Topics };

export class NoticeSender implements CrewMember {
  readonly id: TrailId;
  readonly name: string;
  readonly #deps: NoticeDeps;
  readonly #steps: RetriedSteps;

  constructor(deps: NoticeDeps, id: TrailId) {
    this.#deps = deps;
    this.id = id;
    this.name = noticesName(id);
    this.#steps = new RetriedSteps(deps, {
      id,
      name: this.name,
      work: () => this.#work(),
      afterFailure: (error) => this.#noteFailure(error),
    });
  }

  /** What waits is in the catalog alone. */
  isGone(): boolean {
    return true;
  }

  async open(): Promise<void> {}

  dueInMs(): number {
    return this.#steps.retryInMs() ?? RETRY_MAX_MS;
  }

  step(): Promise<boolean> {
    return this.#steps.step();
  }

  flush(signal: AbortSignal): Promise<void> {
    return this.#steps.flush(signal);
  }

  cutShort(): void {
    this.#steps.cutShort();
  }

  async #work(): Promise<boolean> {
    const { catalog, clock, topics } = this.#deps;
    const waiting = await catalog.list<Notice>(noticesKey(this.id), { limit: ROUND });
    if (waiting.length === 0) return false;
    const topicArn = (await catalog.get<Trail>(trailKey(this.id)))?.value.snsTopicArn;
    if (topicArn === undefined) {
      await catalog.commit(waiting.map(taken));
      return true;
    }
    const tooOld = waiting.filter(({ value }) => value.atMs < clock.nowMs() - LIFE_MS);
    if (tooOld.length > 0) {
      await this.#note((status) => ({ ...status, givenUp: status.givenUp + tooOld.length }), tooOld);
      return true;
    }
    const fault = await faultOfTopic(topics, this.id, topicArn);
    if (fault !== undefined) throw new TopicsError('AuthorizationError', `\`${topicArn}\`: ${fault}`);
    for (const notice of waiting) {
      for (const message of messagesOf(notice.value)) await this.#steps.unlessStopped(topics.publish(topicArn, message));
      const nowMs = clock.nowMs();
      await this.#note(
        ({ error: _, ...status }) => ({ ...status, sent: status.sent + 1, succeededAtMs: nowMs, attemptedAtMs: nowMs }),
        [notice],
      );
    }
    return true;
  }

  /** Saves how it goes, and that notices are done with. */
  async #note(change: (status: NoticeStatus) => NoticeStatus, done: readonly CatalogDocument<Notice>[]): Promise<void> {
    const { catalog } = this.#deps;
    const key = noticeStatusKey(this.id);
    const status = (await catalog.get<NoticeStatus>(key))?.value ?? NO_NOTICES;
    await catalog.commit([{ key, value: change(status), expected: 'any' }, ...done.map(taken)]);
  }

  async #noteFailure(error: unknown): Promise<void> {
    if (!(error instanceof TopicsError)) return;
    // A catalog that fails as well is in the report of the next step.
    await this.#note(
      (status) => ({ ...status, failed: status.failed + 1, attemptedAtMs: this.#deps.clock.nowMs(), error: error.reason }),
      [],
    ).catch(() => undefined);
  }
}

function taken({ key }: CatalogDocument<Notice>): CatalogChange {
  return { key, value: undefined, expected: 'any' };
}
