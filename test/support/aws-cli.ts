/**
 * Calls of the real AWS CLI in tests.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { clientEnvironment, run } from './clients.ts';
import { runCli } from './run-cli.ts';
import type { StartedServer } from './start-server.ts';

export interface AwsCli {
  /** A call that must succeed; its JSON. */
  <T = unknown>(...words: string[]): Promise<T>;
  /** What it writes to stderr, for a call that is to fail; empty when it does not. */
  refusal(...words: string[]): Promise<string>;
  /** What it writes to stdout, for a call that must succeed. */
  text(...words: string[]): Promise<string>;
}

export function awsCli(aws: string, env: Readonly<Record<string, string>>): AwsCli {
  const text = async (...words: string[]): Promise<string> => {
    const { code, stdout, stderr } = await run(aws, words, { env });
    expect(`${code} ${stderr}`, words.join(' ')).toMatch(/^0 /);
    return stdout;
  };
  const call = async <T = unknown>(...words: string[]): Promise<T> => JSON.parse((await text(...words)) || '{}') as T;
  return Object.assign(call, { text, refusal: async (...words: string[]) => (await run(aws, words, { env })).stderr });
}

/** The AWS CLI as the root of a server's first account. */
export async function rootCli(aws: string, server: StartedServer, region: string): Promise<AwsCli> {
  const { text } = await runCli(['env', '--data-dir', server.dataDir]);
  const variables = Object.fromEntries([...text.matchAll(/^export ([A-Z_]+)='(.*)'$/gm)].map((match) => [match[1]!, match[2]!]));
  const key = { accessKeyId: variables['AWS_ACCESS_KEY_ID']!, secretAccessKey: variables['AWS_SECRET_ACCESS_KEY']! };
  return awsCli(aws, clientEnvironment(server.url, key, region));
}

/** Asks until it says something. @throws Error after `limitMs` */
export async function untilSaid<T>(what: string, ask: () => Promise<T | undefined>, limitMs = 30_000): Promise<T> {
  for (const endMs = performance.now() + limitMs; ; await sleep(200)) {
    const said = await ask();
    if (said !== undefined) return said;
    if (performance.now() > endMs) throw new Error(`${what} did not come within ${limitMs} ms`);
  }
}
