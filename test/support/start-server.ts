/**
 * Starts the built server as a user does: `bin/snowtrail start` on a data directory, on a free port of loopback.
 *
 * Needs `npm run build`. A server that a test leaves running is killed when the test process ends.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** The command line as a checkout has it. */
export const SNOWTRAIL = resolve('bin/snowtrail');

/** How long a start may take. */
const START_MS = 30_000;

export interface StartOptions {
  /** Flags beside `--data-dir` and `--listen`, such as `['--account-id', '123837392027']`. */
  readonly flags?: readonly string[];
  /** Absent: a new folder below the system's temporary one. The caller removes it. */
  readonly dataDir?: string;
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** A command, with its arguments, that is to run the server, such as `['strace', '-f']`. Its signals go to the server, too. */
  readonly wrapper?: readonly string[];
}

export interface StartedServer {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  readonly dataDir: string;
  readonly pid: number;
  /** What the server has written to stderr so far. */
  stderr(): string;
  /** SIGTERM; resolves with the exit code, `null` when a signal ended it. */
  stop(): Promise<number | null>;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Resolves when the process is gone, however it went: with the exit code, `null` when a signal ended it. */
  readonly ended: Promise<number | null>;
}

/** @throws Error with what the server said when it does not come up. */
export async function startServer({ flags = [], dataDir, env = {}, wrapper = [] }: StartOptions = {}): Promise<StartedServer> {
  if (!existsSync(resolve('dist/cli.js'))) throw new Error('dist/cli.js is missing: run `npm run build` first');
  const folder = dataDir ?? (await mkdtemp(join(tmpdir(), 'snowtrail-')));
  const command = [...wrapper, process.execPath, SNOWTRAIL, 'start', '--data-dir', folder, '--listen', '127.0.0.1:0', ...flags];
  const isGroup = wrapper.length > 0;
  const child = spawn(command[0]!, command.slice(1), {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: isGroup,
  });
  const signal = (name: 'SIGTERM' | 'SIGKILL'): void => sendSignal(child, name, isGroup);
  const killLeftOver = (): void => signal('SIGKILL');
  process.once('exit', killLeftOver);
  const ended = new Promise<number | null>((resolveEnd) =>
    child.once('close', (code) => {
      process.off('exit', killLeftOver);
      resolveEnd(code);
    }),
  );
  const output = collect(child);
  const url = await Promise.race([output.url, ended.then(() => undefined), timeLimit()]);
  if (url === undefined) {
    signal('SIGKILL');
    throw new Error(`the server did not start: ${output.stderr()}`);
  }
  return {
    url,
    dataDir: folder,
    pid: child.pid!,
    stderr: output.stderr,
    stop: () => {
      signal('SIGTERM');
      return ended;
    },
    kill: async () => {
      signal('SIGKILL');
      await ended;
    },
    ended,
  };
}

/** To the process, or to all of its group. One that has ended gets nothing. */
function sendSignal(child: ChildProcess, name: 'SIGTERM' | 'SIGKILL', isGroup: boolean): void {
  if (!isGroup) return void child.kill(name);
  try {
    process.kill(-child.pid!, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function collect(child: ChildProcess): { readonly url: Promise<string>; stderr(): string } {
  let stderr = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const url = new Promise<string>((resolveUrl) => {
    let stdout = '';
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      const line = /^listening on (https?:\/\/\S+)$/m.exec(stdout);
      if (line) resolveUrl(line[1]!);
    });
  });
  return { url, stderr: () => stderr };
}

function timeLimit(): Promise<undefined> {
  return new Promise((resolveLimit) => setTimeout(() => resolveLimit(undefined), START_MS).unref());
}
