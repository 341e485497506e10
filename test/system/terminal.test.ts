/**
 * What a person sees at a terminal, and what the keys do there: `snowtrail demo` and `snowtrail start`.
 *
 * experience.md §5 (first run), §6 (exit codes), §7 (first start).
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '../support/run-cli.ts';
import { runInTerminal, type Terminal } from '../support/run-in-terminal.ts';
import { hasCommands } from '../support/start-tool.ts';

const CTRL_C = '\u0003';

describe.skipIf(!hasCommands(['python3'], 'install Python 3 to run commands in a terminal'))('in a terminal', () => {
  let folder: string;
  let terminal: Terminal | undefined;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'snowtrail-terminal-'));
  });
  afterEach(async () => {
    await terminal?.close();
    terminal = undefined;
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const demo = (name: string): Terminal => {
    terminal = runInTerminal([
      'demo',
      '--no-open',
      ...['--events', '1000', '--listen', '127.0.0.1:0', '--data-dir', join(folder, `snowtrail-demo-${name}`)],
    ]);
    return terminal;
  };

  test('demo shows its steps one by one, says where the server is and how to quit, and runs what it says until q (exit 0)', async () => {
    const shown = demo('q');
    await shown.shows('✔ key, trail and bucket ready');
    expect(shown.screen()).toMatch(/snowtrail 0\.1\.0 · data in \S+ · no account, no cloud, no telemetry/);
    expect(shown.screen()).not.toContain('chain verified');
    await shown.shows(/✔ 168 digests signed \(last 7 days\), chain verified +[0-9.]+ s/);
    await shown.shows(/doctor --data-dir \S+\n/);
    const [, url] = /Server {4}(http:\/\/127\.0\.0\.1:\d+) +\(q to quit\)/.exec(shown.screen())!;
    expect(await (await fetch(`${url}/readyz`)).text()).toBe('ready\n');
    expect(shown.screen()).not.toContain('in another terminal');
    const commands = [...shown.screen().matchAll(/snowtrail ((?:who|events|verify|doctor) [^"\n]*)/g)].map(([, words]) =>
      words!.trim().split(' '),
    );
    expect(commands.map(([name]) => name)).toEqual(['who', 'events', 'verify', 'doctor']);
    for (const words of commands) expect((await runCli(words)).exitCode, words.join(' ')).toBe(0);
    const environment = /eval "\$\(\S+ (env --data-dir \S+)\)"/.exec(shown.screen())![1]!.split(' ');
    expect((await runCli(environment)).text).toContain(`AWS_ENDPOINT_URL='${url}'`);
    // Other keys do nothing.
    shown.type('x\n');
    expect(await (await fetch(`${url}/healthz`)).text()).toBe('ok\n');
    shown.type('q');
    expect(await shown.exitCode).toBe(0);
    await expect(fetch(url!)).rejects.toThrow();
  });

  test('demo that is interrupted with Ctrl-C exits with 130, while it prepares and later, and the next one makes its folder anew', async () => {
    const cut = demo('cut');
    await cut.shows('✔ key, trail and bucket ready');
    cut.type(CTRL_C);
    expect(await cut.exitCode).toBe(130);
    expect(cut.screen()).not.toContain('chain verified');
    const shown = demo('cut');
    await shown.shows('(q to quit)');
    shown.type(CTRL_C);
    expect(await shown.exitCode).toBe(130);
  });

  test('start shows the root access key at the first start alone, and ends its work with Ctrl-C (exit 0)', async () => {
    const dataDir = join(folder, 'started');
    const words = ['start', '--data-dir', dataDir, '--listen', '127.0.0.1:0'];
    terminal = runInTerminal(words);
    await terminal.shows(/listening on http:\S+\n/);
    expect(terminal.screen()).toMatch(/root access key, shown this once .*\n {2}AWS_ACCESS_KEY_ID=\S+\n {2}AWS_SECRET_ACCESS_KEY=\S+\n/);
    const [, secret] = /AWS_SECRET_ACCESS_KEY=(\S+)/.exec(terminal.screen())!;
    expect((await runCli(['env', '--data-dir', dataDir])).text).toContain(secret);
    terminal.type(CTRL_C);
    expect(await terminal.exitCode).toBe(0);
    expect(existsSync(dataDir)).toBe(true);
    const again = runInTerminal(words);
    terminal = again;
    await again.shows(/listening on http:\S+\n/);
    expect(again.screen()).not.toContain('AWS_ACCESS_KEY_ID');
    again.type(CTRL_C);
    expect(await again.exitCode).toBe(0);
  });
});
