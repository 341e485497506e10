/**
 * The stores of a server, and how they are opened in a data directory.
 *
 * The only place that knows which implementation stands behind an interface.
 */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { BucketName, Region } from '../event/types.ts';
import { createAwsKeys } from '../store/aws/keys.ts';
import { createAwsLogGroups } from '../store/aws/log-groups.ts';
import { createAwsQueues } from '../store/aws/queues.ts';
import { createAwsTopics } from '../store/aws/topics.ts';
import type { Catalog } from '../store/catalog.ts';
import type { Chance, Clock } from '../store/clock.ts';
import { createSystemChance } from '../store/disk/chance.ts';
import { createSystemClock } from '../store/disk/clock.ts';
import { openDiskHistoryIndex } from '../store/disk/history-index/disk-history-index.ts';
import { openDiskJournal } from '../store/disk/journal/disk-journal.ts';
import { openDiskKeys } from '../store/disk/keys.ts';
import { lockFolder } from '../store/disk/lock-folder.ts';
import { openDiskObjects } from '../store/disk/objects/disk-objects.ts';
import { replaceFile } from '../store/disk/replace-file.ts';
import { syncFolder } from '../store/disk/sync-folder.ts';
import { openDiskTreeHashes } from '../store/disk/tree-hashes.ts';
import type { ForeignKeys } from '../store/foreign-keys.ts';
import type { HistoryIndex } from '../store/history-index.ts';
import type { Journal } from '../store/journal.ts';
import type { Keys } from '../store/keys.ts';
import { openLmdbCatalog } from '../store/lmdb/catalog.ts';
import type { LogGroups } from '../store/log-groups.ts';
import type { Mailer } from '../store/mailer.ts';
import { createOutbound } from '../store/net/outbound.ts';
import { createSmtpMailer, type SmtpOptions } from '../store/net/smtp-mailer.ts';
import type { Objects } from '../store/objects.ts';
import type { Outbound } from '../store/outbound.ts';
import type { Queues } from '../store/queues.ts';
import { openForeignObjects } from '../store/s3/objects.ts';
import { sealObjects } from '../store/sealed-objects.ts';
import type { Topics } from '../store/topics.ts';
import type { TreeHashes } from '../store/tree-hashes.ts';
import { hashNode } from '../tlog/hash.ts';
import { routeObjects } from './route-objects.ts';
import type { Settings } from './settings.ts';
import { hashSha256 } from './sha256.ts';

export interface Stores {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly journal: Journal;
  readonly objects: Objects;
  readonly catalog: Catalog;
  readonly keys: Keys;
  readonly treeHashes: TreeHashes;
  readonly historyIndex: HistoryIndex;
  /** Reaches what others may name, such as identity providers. */
  readonly outbound: Outbound;
  /** Reaches the URLs that subscribe to topics. */
  readonly subscribers: Outbound;
  /** Absent when no SQS is configured. */
  readonly queues?: Queues | undefined;
  /** Absent when no SMTP server is configured. */
  readonly mailer?: Mailer | undefined;
  /** Absent when no CloudWatch Logs is configured. */
  readonly logGroups?: LogGroups | undefined;
  /** KMS keys at a foreign KMS; absent when none is configured. */
  readonly foreignKeys?: ForeignKeys | undefined;
  /** Topics at a foreign SNS; absent when none is configured. */
  readonly foreignTopics?: Topics | undefined;
}

/**
 * Version of the data directory's layout. A server refuses to open another one: 1 and 2 were written by builds before the first
 * release, whose trails kept their state, or wrote their receipts, otherwise.
 */
const LAYOUT_VERSION = 3;

/**
 * Opens all stores of a data directory, making what is missing.
 *
 * @param givenClock Takes the place of the machine's clock.
 * @param report Told of what the stores do behind the scenes and did not manage.
 * @returns the stores; why they take nothing more until the next start, `undefined` while they do; and a function that
 * closes them and gives the directory free.
 * @throws Error when another process holds the directory, a newer Snowtrail wrote it, or it holds other files and was not made
 * by Snowtrail: nothing is written there then.
 */
export async function openStores(
  settings: Settings,
  report: (problem: Error) => void,
  givenClock?: Clock,
): Promise<{ readonly stores: Stores; readonly installationId: string; failure(): string | undefined; close(): Promise<void> }> {
  const folder = settings.dataDir;
  await requireOurs(folder);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const lock = await lockFolder(folder);
  try {
    await checkLayout(folder);
    await requireWhole(folder);
    const clock = givenClock ?? createSystemClock(settings.clock === undefined ? {} : { file: settings.clock });
    const chance = createSystemChance();
    const catalog = await openLmdbCatalog({ folder: join(folder, 'catalog') });
    // The id is needed for the keys' origin before accounts can be opened, since these wrap their secrets with the keys.
    const installationId = await installationIdOf(catalog, chance);
    const origin = `snowtrail/${installationId}`;
    const keys = await openDiskKeys({ folder: join(folder, 'keys'), origin, clock, chance });
    const reserve = settings.storage.reserve;
    const journal = await openDiskJournal({
      folder: join(folder, 'journal'),
      clock,
      chance,
      ...(reserve === undefined ? {} : { reserveBytes: reserve }),
      report,
    });
    const builtin = await openDiskObjects({ folder: join(folder, 'objects'), clock, chance });
    const foreign = new Map<BucketName, Objects>();
    for (const [name, { endpoint, region, credentials }] of Object.entries(settings.storage.buckets)) {
      foreign.set(name as BucketName, await openForeignObjects({ endpoint, region, credentials, clock, staging: builtin }));
    }
    const contentKey = await keys.derive('object-content');
    const objects = routeObjects({ builtin: sealObjects(builtin, { contentKey, chance }), foreign });
    const treeHashes = await openDiskTreeHashes({
      folder: join(folder, 'tree'),
      hashChildren: (left, right) => hashNode(hashSha256, left, right),
    });
    const termKey = await keys.derive('history-terms');
    const historyIndex = await openDiskHistoryIndex({ folder: join(folder, 'history'), termKey, workers: true, report });
    // The names of the folders made above must be as durable as what is in them (F05).
    await syncFolder(folder);
    await syncFolder(dirname(resolve(folder)));
    const { close: closeTargets, ...targets } = openTargets(settings, clock);
    const outbound = createOutbound({ clock, allow: settings.identityProviders.allow });
    const subscribers = createOutbound({ clock, allow: settings.delivery.subscribers.allow });
    const stores: Stores = {
      clock,
      chance,
      journal,
      objects,
      catalog,
      keys,
      treeHashes,
      historyIndex,
      outbound,
      subscribers,
      ...targets,
    };
    return {
      stores,
      installationId,
      failure: () => {
        const { state, reason } = journal.health();
        return state === 'failed' ? (reason ?? 'the journal failed') : catalog.failure()?.message;
      },
      close: async () => {
        await closeTargets();
        await outbound.close();
        await subscribers.close();
        await journal.close();
        await historyIndex.close();
        await treeHashes.close();
        await objects.close();
        await catalog.close();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** The services of others that deliveries go to, or encrypt with. Nothing is sent yet. */
function openTargets(
  settings: Settings,
  clock: Clock,
): Pick<Stores, 'logGroups' | 'foreignKeys' | 'foreignTopics' | 'queues' | 'mailer'> & { close(): Promise<void> } {
  const { logs, sns, sqs, smtp } = settings.delivery;
  const places = new Map(Object.entries(settings.storage.keys));
  // Only to where our operator said, wherever that is.
  const hosts = [logs?.endpoint, logs?.stsEndpoint, sns?.endpoint, sqs?.endpoint, ...[...places.values()].map(({ endpoint }) => endpoint)]
    .filter((url) => url !== undefined)
    .map((url) => new URL(url).hostname);
  const outbound = createOutbound({ clock, allow: hosts });
  const logGroups = logs && createAwsLogGroups({ ...logs, region: logs.region as Region | undefined, outbound, clock });
  const foreignTopics = sns && createAwsTopics({ ...sns, outbound });
  const queues = sqs && createAwsQueues({ ...sqs, outbound });
  return {
    logGroups,
    foreignTopics,
    foreignKeys: places.size === 0 ? undefined : createAwsKeys(places, outbound),
    queues,
    mailer: smtp && createSmtpMailer(smtpOptions(smtp, settings.smtpPassword)),
    close: async () => {
      await outbound.close();
      await logGroups?.close();
    },
  };
}

function smtpOptions({ user, ...smtp }: NonNullable<Settings['delivery']['smtp']>, password: string | undefined): SmtpOptions {
  const port = smtp.port ?? { starttls: 587, implicit: 465, none: 25 }[smtp.tls];
  return { ...smtp, port, ...(user === undefined || password === undefined ? {} : { credentials: { user, password } }) };
}

async function installationIdOf(catalog: Catalog, chance: Chance): Promise<string> {
  const found = await catalog.get<{ id: string }>(['installation-id']);
  if (found) return found.value.id;
  const id = chance.uuid();
  await catalog.commit([{ key: ['installation-id'], value: { id }, expected: 0 }]);
  return id;
}

/**
 * What a folder without a `VERSION` may hold: what a first start that did not come to it leaves behind (the lock's sockets,
 * the beginnings of the file), and what a new file system has at its top.
 */
const EMPTY_ENOUGH = /^(lock-[0-9a-f]{16}|VERSION\.new|lost\+found)$/;

/** @throws Error when the folder is neither missing, nor empty, nor a data directory. */
async function requireOurs(folder: string): Promise<void> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException): readonly string[] => {
    if (error.code === 'ENOENT') return [];
    if (error.code === 'ENOTDIR')
      throw new Error(`\`${folder}\` is not a folder; give \`--data-dir\` an empty or a new one`, { cause: error });
    throw error;
  });
  if (names.includes('VERSION')) return;
  const foreign = names.filter((name) => !EMPTY_ENOUGH.test(name));
  if (foreign.length === 0) return;
  throw new Error(
    `\`${folder}\` is not a Snowtrail data directory (it has no \`VERSION\`) and is not empty: it holds \`${foreign[0]}\`` +
      `${foreign.length === 1 ? '' : ` and ${foreign.length - 1} more`}; give \`--data-dir\` an empty or a new folder. ` +
      'Is it a copy of a data directory that lacks a part, copy the whole of it',
  );
}

/** What a first start makes, in this order, and what of it is never made anew once the next one holds something. */
const PARTS: readonly { readonly name: string; readonly isUsed: (names: readonly string[]) => boolean }[] = [
  { name: 'catalog', isUsed: (names) => names.includes('data.mdb') },
  { name: 'keys', isUsed: (names) => names.includes('master.key') || names.includes('keys.json') },
  { name: 'journal', isUsed: (names) => names.some((name) => /^[0-9]{20}-/.test(name)) },
];

/**
 * A copy of a data directory that lacks its keys or its catalog is not begun anew: it would sign the same trails with keys
 * that nobody vouches for, and all that comes after would be taken for forged.
 *
 * A journal that is missing beside the other two is told by the rest (`find-rollback.ts`): reads are served then.
 * @throws Error naming the part
 */
async function requireWhole(folder: string): Promise<void> {
  const used = await Promise.all(
    PARTS.map(async ({ name, isUsed }) =>
      isUsed(
        await readdir(join(folder, name)).catch((error: NodeJS.ErrnoException): readonly string[] => {
          if (error.code === 'ENOENT') return [];
          throw error;
        }),
      ),
    ),
  );
  const lost = used.indexOf(false);
  if (lost < 0 || !used.includes(true, lost)) return;
  throw new Error(
    `\`${join(folder, PARTS[lost]!.name)}\` is missing or empty, and \`${join(folder, PARTS[used.indexOf(true, lost)]!.name)}\` is not: ` +
      'a part of the data directory was lost, or not copied. Put it back from your backup; nothing was made in its place',
  );
}

/** Removes a data directory. @throws FolderLocked when a server runs on it */
export async function removeDataDir(folder: string): Promise<void> {
  const lock = await lockFolder(folder);
  await rm(folder, { recursive: true }).finally(() => lock.release());
}

async function checkLayout(folder: string): Promise<void> {
  const path = join(folder, 'VERSION');
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return replaceFile(path, `${LAYOUT_VERSION}\n`);
  if (!/^\d+$/.test(text.trim())) throw new Error(`\`${path}\` must hold the layout's version, a whole number`);
  const found = Number(text);
  if (found === LAYOUT_VERSION) return;
  const next =
    found > LAYOUT_VERSION
      ? 'written by a newer Snowtrail: start that version'
      : 'written before the first release: keep it for the build that wrote it, and begin a new data directory with --data-dir';
  throw new Error(`\`${folder}\` has layout ${found}, this Snowtrail knows ${LAYOUT_VERSION}; it was ${next}`);
}
