/**
 * Runs one command of the built command line to its end. Needs `npm run build`.
 */
import { spawn } from 'node:child_process';
import { SNOWTRAIL } from './start-server.ts';

export interface CliRun {
  /** `null` when a signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: Buffer;
  /** `stdout` as UTF-8. */
  readonly text: string;
  readonly stderr: string;
}

export interface CliOptions {
  /** The whole environment; absent: this process's without `AWS_*` and `SNOWTRAIL_*`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Given to stdin. */
  readonly input?: string | Uint8Array;
  /** Ends the command with SIGINT, as Ctrl-C does, once stdout holds this text. */
  readonly interruptAfter?: string;
  /** Told all of stderr each time that some of it comes. */
  readonly onStderr?: (text: string) => void;
}

export async function runCli(words: readonly string[], options: CliOptions = {}): Promise<CliRun> {
  const child = spawn(process.execPath, [SNOWTRAIL, ...words], {
    env: options.env ?? cleanEnvironment(),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => {
    stdout.push(chunk);
    if (options.interruptAfter !== undefined && Buffer.concat(stdout).includes(options.interruptAfter)) child.kill('SIGINT');
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr.push(chunk);
    options.onStderr?.(Buffer.concat(stderr).toString('utf8'));
  });
  // A command that does not read its input closes the pipe early; that is no failure of the test.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const bytes = Buffer.concat(stdout);
  return { exitCode, stdout: bytes, text: bytes.toString('utf8'), stderr: Buffer.concat(stderr).toString('utf8') };
}

function cleanEnvironment(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(AWS|SNOWTRAIL)_/.test(name)));
}
