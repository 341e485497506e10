/**
 * Seals a segment in a process of its own, so that compressing doesn't hold up appends.
 */
import { performInProcess } from '../task-process.ts';
import type { SealTask } from './seal-segment.ts';

/** What the process answers: nothing, or why it failed. */
export interface SealOutcome {
  readonly problem?: string;
}

/** As `sealSegment` over the system's files. Ends early, with an error, when `signal` aborts. */
export async function sealInProcess(task: SealTask, signal: AbortSignal): Promise<void> {
  const { problem } = await performInProcess<SealOutcome>('seal-segment', task, signal);
  if (problem !== undefined) throw new Error(problem);
}
