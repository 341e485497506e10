/**
 * One task in a process of its own, which writes files, answers once and ends.
 *
 * For work that takes much memory for seconds and that nobody waits for: sealing a segment, merging runs. In a thread the
 * allocator kept what such work had used, 200 MiB after a minute of full intake; a process gives all of it back. And the
 * processor leaves it aside while there is something that somebody waits for.
 *
 * A server that is killed must not leave a process behind that goes on writing beside the next server. So the process ends when
 * it loses its server, and looks for it at every step that changes a file (`ensureWanted`): a new server takes longer to start than
 * one such step.
 */
import { fork } from 'node:child_process';
import { getPriority, setPriority } from 'node:os';
import { builtFile } from '../built-file.ts';

/** Lowest nice value of task processes: beside a busy main thread, one gets about a tenth of a core. */
const NICE = 10;

/** With little room for new objects, V8 looks often for buffers that nobody uses, which lie outside of its heap. */
const LITTLE_ROOM = ['--max-semi-space-size=1'];

/**
 * Has a task done by `NAME.process.ts`. Ends it early, with an error, when `signal` aborts.
 *
 * @param task Plain values and typed arrays.
 * @returns what `answerTask` was given there.
 * @throws Error when the process does not start, or ends without an answer.
 */
export async function performInProcess<Outcome>(name: string, task: object, signal?: AbortSignal): Promise<Outcome> {
  signal?.throwIfAborted();
  const child = fork(builtFile(`${name}.process`), [String(process.pid)], {
    serialization: 'advanced',
    execArgv: [...process.execArgv, ...LITTLE_ROOM],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const isStarted = child.pid !== undefined;
  // INVARIANT: what did not start is not killed. Node would send the signal to whatever number is in the handle: to a stranger, or to
  // every process of the server's group.
  const stop = (): void => void (isStarted && child.kill('SIGKILL'));
  signal?.addEventListener('abort', stop, { once: true });
  try {
    return await new Promise<Outcome>((resolve, reject) => {
      child.once('message', (outcome) => resolve(outcome as Outcome));
      child.on('error', reject);
      child.once('exit', (code, killedBy) =>
        reject(new Error(`process \`${name}\` ended with ${killedBy ?? code} before its task was done`)),
      );
      // What did not start says why by the event.
      if (isStarted) child.send(task, (error) => error && reject(error));
    });
  } finally {
    signal?.removeEventListener('abort', stop);
    stop();
  }
}

/** Of a task process: the server that it works for. */
let server: number | undefined;

/** The other side: takes the one task of this process, and sends what `perform` makes of it. */
export function answerTask<Task, Outcome extends object>(perform: (task: Task) => Promise<Outcome> | Outcome): void {
  server = Number(process.argv[2]);
  // A server that stands aside itself may not let its processes go before it.
  setPriority(Math.max(getPriority(), NICE));
  // Of a whole group, as from a terminal: the server decides when this process ends.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => undefined);
  process.once('disconnect', () => process.exit());
  const answer = async (task: unknown): Promise<void> => void process.send!(await perform(task as Task));
  process.once('message', (task) => void answer(task));
}

/** To be called right before each step that changes a file. @throws Error in a task process whose server has gone. */
export function ensureWanted(): void {
  if (server !== undefined && process.ppid !== server) throw new Error('the server that wanted this has gone');
}
