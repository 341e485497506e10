/**
 * Ends the process, for certain.
 *
 * `process.exit` waits for the threads of Node's pool. LMDB's writer is on one of them, and in a transaction it waits for
 * the main thread, which never comes back from exiting: the process would hang for ever, and hold its data directory. So
 * a process exits only when the catalog is closed; one that cannot close it kills itself, which no thread can delay.
 * Nothing is lost by that: a kill at any moment is what the stores are made for (P5).
 */

/**
 * @param exitCode Of a process that can exit.
 * @param canExit No transaction is under way, and none will begin.
 */
export function endProcess(exitCode: number, canExit: boolean): void {
  if (canExit) process.exit(exitCode);
  process.kill(process.pid, 'SIGKILL');
}
