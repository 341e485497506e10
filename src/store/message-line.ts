/**
 * How messages to one receiver go, as operators see it.
 */
export interface MessageLine {
  /** Such as `notices/111122223333/eu-central-1/main`. */
  readonly name: string;
  readonly waiting: number;
  readonly sent: number;
  /** Tries that failed. */
  readonly failed: number;
  /** Messages that nobody got. */
  readonly givenUp: number;
  /** Why the last try failed; absent when it succeeded. */
  readonly problem?: string;
}
