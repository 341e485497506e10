/**
 * `snowtrail start`: opens a data directory, serves, and drains at the end.
 */
import { setMaxListeners } from 'node:events';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSecureContext } from 'node:tls';
import pino from 'pino';
import type { NewAccessKey } from '../access/accounts.ts';
import type { AccountId, BucketName, Region } from '../event/types.ts';
import { createHandler } from '../http/create-handler.ts';
import { serve, type TlsFiles } from '../http/serve.ts';
import type { Clock } from '../store/clock.ts';
import { replaceFile } from '../store/disk/replace-file.ts';
import { gzip } from '../trail/compress.ts';
import { createServer, type SnowtrailServer } from './create-server.ts';
import type { NewUserKey } from './file-calls.ts';
import { messageOf, type ServerLog } from './log-problems.ts';
import { isLoopback, type Settings } from './settings.ts';
import { openStores } from './stores.ts';

/** How long requests under way may take once the server stops. */
const DRAIN_MS = 4_000;
/** How long the trails may deliver after that. */
const FLUSH_MS = 2_000;
/** How long followers may take to end what they are at and the stores to close; and, if they don't, the catalog alone. Ten seconds in all (P23). */
const CLOSE_MS = 1_500;
/** How long the catalog may take to end its transactions once the server has failed. */
const ABANDON_MS = 5_000;
/** How often the stores are asked whether their device has failed, which ends the process (P7). */
const HEALTH_MS = 500;
/** What followers may save together: short beside the second within which an event is to be found (DESIGN §8). */
const GATHER_MS = 100;

export type { SnowtrailServer } from './create-server.ts';
export { endProcess } from './end-process.ts';
export { MovedClock } from './moved-clock.ts';
export { BadSetting, readSettings } from './settings.ts';
export { removeDataDir } from './stores.ts';

export interface RunningServer {
  /** `http://HOST:PORT`, or `https://…`. */
  readonly url: string;
  readonly server: SnowtrailServer;
  /** Resolves when the server has stopped by itself, with the reason. */
  readonly failed: Promise<Error>;
  /**
   * Takes no new work, delivers what is due, and closes. Within ten seconds: what is not done by then is done again after
   * the next start.
   * @returns whether all is closed, so that the process can end by `process.exit` (`end-process.ts`).
   */
  stop(): Promise<boolean>;
  /**
   * Closes what hinders the process from ending, and nothing else: the server has failed.
   * @returns as `stop` does.
   */
  abandon(): Promise<boolean>;
  /** Reads certificate and key anew; `undefined` where none are served. Never rejects: what cannot be used is logged, and the old ones stay. */
  readonly renewTls: (() => Promise<void>) | undefined;
}

/** The files in which keys of accounts are kept for the operator, by account. */
function keyFile(dataDir: string, account: string): string {
  return join(dataDir, 'access-keys', `${account}.json`);
}

export interface StartOptions {
  /** Takes the place of the machine's clock, or of the clock file. */
  readonly clock?: Clock;
  /** Called when the server answers, before the trails begin to deliver. */
  readonly prepare?: (server: SnowtrailServer, url: string) => Promise<void>;
}

/** Starts a server over a data directory. @throws Error when the directory, the settings or the address cannot be used. */
export async function startServer(settings: Settings, options: StartOptions = {}): Promise<RunningServer> {
  const log = createLog();
  const { stores, installationId, failure, close } = await openStores(settings, (problem) => log.warn(problem.message), options.clock);
  const closing = new AbortController();
  // Every follower listens, and whatever waits for an answer while it does.
  setMaxListeners(0, closing.signal);
  try {
    let url = '';
    const server = await createServer({
      stores,
      installationId,
      firstAccount: settings.accountId as AccountId | undefined,
      organizationId: settings.organizationId,
      region: settings.region as Region,
      foreignBuckets: new Set(Object.keys(settings.storage.buckets) as BucketName[]),
      flushIntervalMs: settings.flushInterval,
      gatherMs: GATHER_MS,
      approvals: settings.approvals === undefined ? undefined : { persons: settings.approvals.persons, delayMs: settings.approvals.delay },
      digestIntervalMs: settings.digestInterval,
      gzip,
      keepKey: (key) => keepKey(settings.dataDir, key),
      metricsAccess: { token: settings.metricsToken, isOpen: isLoopback(settings.listen) && settings.trustedProxies.length === 0 },
      trustedProxies: settings.trustedProxies,
      signatureTimeMs: () => Date.now(),
      isOpen: settings.noAuth === 'true',
      url: () => settings.delivery.subscribers.url ?? url,
      log,
    });
    await server.applyDeclared(settings, (key) => keepUserKey(settings.dataDir, key));
    const handler = createHandler(server.ports);
    const { limits, report } = server.ports;
    const http = await serve({ listen: settings.listen, handler, limits, report, tls: await readTls(settings) });
    url = http.url;
    await writeServerFile(settings, server.administrator, http.url);
    const followers = server.runFollowers(closing.signal);
    await options.prepare?.(server, http.url);
    const running = Promise.all([followers, server.runTrails(closing.signal), server.runScrub(closing.signal)]);
    const failed = watchFailure(failure, closing.signal);
    /** Whether the work is done, and without an error, before the time is over. */
    const isDone = async (what: string, work: Promise<void>, limitMs = CLOSE_MS): Promise<boolean> => {
      const ended = new AbortController();
      const outcome = await Promise.race([
        work.then(() => undefined).catch((error: unknown) => String(error)),
        sleep(limitMs, `it takes longer than ${limitMs} ms`, { signal: ended.signal }),
      ]);
      ended.abort();
      if (outcome !== undefined) log.warn(`${what} did not end: ${outcome}`);
      return outcome === undefined;
    };
    return {
      url: http.url,
      server,
      failed,
      stop: async () => {
        await rm(join(settings.dataDir, 'server.json'), { force: true });
        await http.close(DRAIN_MS);
        // What cannot be delivered now is delivered after the next start.
        if (!server.isReadOnly)
          await server.trails.flushNow(FLUSH_MS).catch((error: unknown) => log.warn(`not all was delivered: ${String(error)}`));
        closing.abort();
        if (await isDone('closing', running.then(close))) return true;
        return isDone('closing the catalog', stores.catalog.close());
      },
      renewTls:
        settings.tlsCert === undefined
          ? undefined
          : async () => {
              try {
                http.renew((await readTls(settings))!);
              } catch (error) {
                log.error(`certificate and key cannot be read anew, and the old ones stay: ${messageOf(error)}`);
              }
            },
      abandon: () => {
        closing.abort();
        return isDone('closing the catalog', stores.catalog.close(), ABANDON_MS);
      },
    };
  } catch (error) {
    closing.abort();
    await close();
    throw error;
  }
}

/** Certificate and key; `undefined` where none are configured. @throws Error when a file cannot be read, or is none in PEM */
async function readTls({ tlsCert, tlsKey }: Settings): Promise<TlsFiles | undefined> {
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  const [cert, key] = await Promise.all([readFile(tlsCert, 'utf8'), readFile(tlsKey, 'utf8')]);
  try {
    createSecureContext({ cert, key });
  } catch (cause) {
    throw new Error(`\`${tlsCert}\` and \`${tlsKey}\` are no certificate and its key in PEM: ${messageOf(cause)}`, { cause });
  }
  return { cert, key };
}

/** Resolves with the reason when a store's device has failed. */
function watchFailure(failure: () => string | undefined, signal: AbortSignal): Promise<Error> {
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const reason = failure();
      if (reason === undefined) return;
      clearInterval(timer);
      resolve(new Error(reason));
    }, HEALTH_MS);
    timer.unref();
    signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  });
}

/** NDJSON to stderr: stdout belongs to the one line that says where the server listens. */
function createLog(): ServerLog {
  const logger = pino(
    { level: process.env['SNOWTRAIL_LOG_LEVEL'] ?? 'warn', base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination(2),
  );
  return {
    info: (message, details = {}) => logger.info(details, message),
    warn: (message, details = {}) => logger.warn(details, message),
    error: (message, details = {}) => logger.error(details, message),
  };
}

/** Keeps an account's key so that only the operator can read it; durable when it resolves. */
async function keepKey(dataDir: string, key: NewAccessKey): Promise<void> {
  const folder = join(dataDir, 'access-keys');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = keyFile(dataDir, key.account);
  await replaceFile(path, `${JSON.stringify(key, null, 2)}\n`);
}

/** As `keepKey`, in a folder beside the keys of accounts. */
async function keepUserKey(dataDir: string, key: NewUserKey): Promise<void> {
  const folder = join(dataDir, 'access-keys', 'users');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await replaceFile(join(folder, `${key.account}.${key.userName}.json`), `${JSON.stringify(key, null, 2)}\n`);
}

/** Tells clients on this machine where the server is. */
async function writeServerFile(settings: Settings, accountId: AccountId, url: string): Promise<void> {
  const path = join(settings.dataDir, 'server.json');
  const text = JSON.stringify({ url, pid: process.pid, accountId, region: settings.region });
  await replaceFile(path, `${text}\n`);
}
