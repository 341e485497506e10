/**
 * The process that seals one segment.
 */
import { nodeFiles } from '../files.ts';
import { answerTask } from '../task-process.ts';
import type { SealOutcome } from './seal-in-process.ts';
import { type SealTask, sealSegment } from './seal-segment.ts';

answerTask(async (task: SealTask): Promise<SealOutcome> => {
  try {
    await sealSegment(nodeFiles, task);
    return {};
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
});
