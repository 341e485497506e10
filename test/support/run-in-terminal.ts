/**
 * Runs one command of the built command line in a terminal of its own, as a person does: Python's `pty` has it.
 *
 * What the command writes comes with the terminal's line ends and escapes; stdout and stderr are one. Needs `npm run build`.
 */
import { spawn } from 'node:child_process';
import { SNOWTRAIL } from './start-server.ts';

/** Runs its arguments below a terminal, and prints how that ended where a shell would show it: 128 + N for signal N. */
const BELOW_TERMINAL = [
  'import os, pty, sys',
  'code = os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:]))',
  'sys.exit(code if code >= 0 else 128 - code)',
].join('\n');

export interface Terminal {
  /** Everything on the screen so far, without colours, lines ended by `\n`. */
  screen(): string;
  /** Types keys, such as `q` or `\x03` for Ctrl-C. */
  type(keys: string): void;
  /** Resolves once the screen shows this. @throws Error when the command ends first, or after `limitMs`. */
  shows(wanted: string | RegExp, limitMs?: number): Promise<void>;
  /** As a shell sees it: 128 + N when signal N ended it. */
  readonly exitCode: Promise<number>;
  /** Ends the terminal, and with it the command. */
  close(): Promise<void>;
}

/** @param words of the command, such as `['demo', '--events', '3000']`. */
export function runInTerminal(words: readonly string[]): Terminal {
  const child = spawn('python3', ['-c', BELOW_TERMINAL, process.execPath, SNOWTRAIL, ...words], { stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  child.stdin.on('error', () => undefined);
  let hasEnded = false;
  const exitCode = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      hasEnded = true;
      resolve(code ?? -1);
    });
  });
  const screen = () => output.replace(/\u001b\[[0-9;]*[A-Za-z]/g, '').replaceAll('\r\n', '\n');
  return {
    screen,
    type: (keys) => void child.stdin.write(keys),
    exitCode,
    async shows(wanted, limitMs = 120_000) {
      const isShown = () => (typeof wanted === 'string' ? screen().includes(wanted) : wanted.test(screen()));
      for (const endMs = performance.now() + limitMs; !isShown(); await new Promise((resolve) => setTimeout(resolve, 50)))
        if (hasEnded || performance.now() > endMs) throw new Error(`the terminal never showed ${wanted}, but:\n${screen()}`);
    },
    async close() {
      if (!hasEnded) child.kill('SIGKILL');
      await exitCode;
    },
  };
}
