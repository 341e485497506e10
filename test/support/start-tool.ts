/**
 * Starts a foreign tool that some tests need, and stops it again by the process that was started.
 *
 * A tool that is not installed makes those tests skip with the reason printed; `SNOWTRAIL_REQUIRE_ALL=1` (continuous
 * integration) makes it a failure.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Whether all commands are there.
 * @throws Error when one is missing and `SNOWTRAIL_REQUIRE_ALL` is `1`.
 */
export function hasCommands(commands: readonly string[], hint: string): boolean {
  const missing = commands.filter((command) => spawnSync('which', [command]).status !== 0);
  if (missing.length === 0) return true;
  const reason = `\`${missing.join('`, `')}\` is not installed; ${hint}`;
  if (process.env['SNOWTRAIL_REQUIRE_ALL'] === '1') throw new Error(reason);
  console.warn(`skipped: ${reason}`);
  return false;
}

/** A port of the loopback address that nobody uses at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('a listening socket has no port');
  return address.port;
}

export interface Tool {
  /** What it wrote so far, for the message of a failure. */
  output(): string;
  /** Ends it, and waits until it has ended. */
  stop(): Promise<void>;
  hasEnded(): boolean;
}

export function startTool(command: string, args: readonly string[], environment: NodeJS.ProcessEnv = process.env): Tool {
  const child: ChildProcess = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: environment });
  const pieces: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (piece: Buffer) => pieces.push(piece.toString()));
  let isOver = false;
  const over = new Promise<void>((resolve) => {
    child.once('error', (error) => pieces.push(String(error)));
    for (const event of ['exit', 'error'])
      child.once(event, () => {
        isOver = true;
        resolve();
      });
  });
  return {
    output: () => pieces.join(''),
    hasEnded: () => isOver,
    async stop() {
      if (!isOver) child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
      await over;
      clearTimeout(timer);
    },
  };
}

/** Asks until an answer of any kind comes. @throws Error with the tool's output when it ends first, or after `timeoutMs`. */
export async function untilAnswers(url: string, tool: Tool, timeoutMs = 60_000): Promise<void> {
  for (const endMs = performance.now() + timeoutMs; ; ) {
    try {
      await (await fetch(url, { signal: AbortSignal.timeout(2_000) })).arrayBuffer();
      return;
    } catch (cause) {
      if (tool.hasEnded() || performance.now() > endMs) throw new Error(`nothing answers at ${url}:\n${tool.output()}`, { cause });
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
