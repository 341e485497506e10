/**
 * The process that merges history runs.
 */
import { answerTask } from '../task-process.ts';
import { outcomeOf } from './run-task.ts';

answerTask(outcomeOf);
