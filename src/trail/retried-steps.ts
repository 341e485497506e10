/**
 * Steps of one trail's work, one after the other: a step that fails is reported and tried again later, one that hits a bug ends the work.
 *
 * For what goes beside the bucket: log groups and topics. Delivery to the bucket counts its tries by what was put meanwhile, and
 * knows more that is due by time (`follow-trail.ts`).
 */
import { backOffMs } from '../store/back-off.ts';
import { isBug } from '../store/is-bug.ts';
import { Aborted, unlessAborted } from '../store/unless-aborted.ts';
import type { TrailHealth } from './follow-trail.ts';
import type { TrailId } from './trail.ts';
import type { TrailDeps } from './trail-deps.ts';

const RETRY = { minMs: 1_000, maxMs: 60_000 } as const;
/** Longest wait for the next try. */
export const RETRY_MAX_MS = RETRY.maxMs;

interface Work {
  readonly id: TrailId;
  /** In reports. */
  readonly name: string;
  /** Does the next piece. @returns false when nothing is due. */
  readonly work: () => Promise<boolean>;
  /** After a failure that is tried again was reported. */
  readonly afterFailure: (error: unknown) => Promise<void> | void;
}

export class RetriedSteps {
  readonly #deps: Pick<TrailDeps, 'clock' | 'chance' | 'report'>;
  readonly #work: Work;
  /** In a row, since the last step that succeeded. */
  #failures = 0;
  #failure: unknown;
  #failingSinceMs = 0;
  #retryAtMs = Number.NEGATIVE_INFINITY;
  #isHalted = false;
  readonly #stop = new AbortController();
  /** The step under way. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(deps: Pick<TrailDeps, 'clock' | 'chance' | 'report'>, work: Work) {
    this.#deps = deps;
    this.#work = work;
  }

  /** See `CrewMember`; so are `flush` and `cutShort`. */
  step(): Promise<boolean> {
    const step = this.#turn.then(() => this.#step());
    this.#turn = step;
    return step;
  }

  async flush(signal: AbortSignal): Promise<void> {
    const failuresBefore = this.#failures;
    this.#retryAtMs = Number.NEGATIVE_INFINITY;
    while (!signal.aborted && this.#failures <= failuresBefore && (await this.step()));
  }

  cutShort(): void {
    this.#stop.abort();
  }

  /** What `pending` gives; rejects with Aborted when the process stops first, which ends the step and is no failure. */
  unlessStopped<T>(pending: Promise<T>): Promise<T> {
    return unlessAborted(this.#stop.signal, pending);
  }

  health(): TrailHealth {
    if (this.#failures === 0) return { state: 'ok', failures: 0 };
    const reason = this.#failure instanceof Error ? this.#failure.message : String(this.#failure);
    return { state: this.#isHalted ? 'halted' : 'retrying', failures: this.#failures, reason };
  }

  /** Milliseconds until the next try, at least 1; `undefined` while nothing failed, and after a bug. */
  retryInMs(): number | undefined {
    if (this.#failures === 0 || this.#isHalted) return undefined;
    return Math.max(1, this.#retryAtMs - this.#deps.clock.monotonicMs());
  }

  /** Milliseconds since the first failure of those in a row; `undefined` while nothing failed. */
  failingForMs(): number | undefined {
    return this.#failures === 0 ? undefined : this.#deps.clock.monotonicMs() - this.#failingSinceMs;
  }

  get isHalted(): boolean {
    return this.#isHalted;
  }

  async #step(): Promise<boolean> {
    if (this.#isHalted || this.#stop.signal.aborted || this.#deps.clock.monotonicMs() < this.#retryAtMs) return false;
    try {
      const hasWorked = await this.#work.work();
      this.#failures = 0;
      return hasWorked;
    } catch (error) {
      if (!(error instanceof Aborted)) await this.#fail(error);
      return false;
    }
  }

  async #fail(error: unknown): Promise<void> {
    const { clock, chance, report } = this.#deps;
    const { id, name, afterFailure } = this.#work;
    if (this.#failures === 0) this.#failingSinceMs = clock.monotonicMs();
    this.#failures++;
    this.#failure = error;
    this.#isHalted = isBug(error);
    const trouble = { trail: name, account: id.account, region: id.homeRegion, error, failures: this.#failures };
    if (this.#isHalted) return report?.({ ...trouble, kind: 'halted' });
    const retryInMs = backOffMs(RETRY, this.#failures, chance);
    this.#retryAtMs = clock.monotonicMs() + retryInMs;
    report?.({ ...trouble, kind: 'retry', retryInMs });
    await afterFailure(error);
  }
}
