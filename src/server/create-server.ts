/**
 * Puts the parts together: stores, followers, operations, routes.
 *
 * Everything from outside comes in as an argument, so the simulation runs this very function over memory stores and a
 * clock of its own; `start.ts` runs it over a data directory.
 */

import { Accounts, type KeepKey, type NewAccessKey } from '../access/accounts.ts';
import { Authorizer } from '../access/authorize.ts';
import { explainAccess } from '../access/explain-access.ts';
import { credentialFinder } from '../access/find-credentials.ts';
import { principalPoliciesFinder } from '../access/find-principal-policies.ts';
import { iamOperations } from '../access/iam/operations.ts';
import { Identities } from '../access/identities.ts';
import { KeyUses } from '../access/key-uses.ts';
import { accountOperations } from '../access/operations.ts';
import { resourcePolicyOperations } from '../access/resource-policies.ts';
import { stsOperations } from '../access/sts/operations.ts';
import type { RecordCall } from '../api/call-record.ts';
import { completeTable } from '../api/control-plane.ts';
import type { Operation, OperationTable } from '../api/operation.ts';
import { checkConstraints, decodeInput, encodeOutput, type ModelObject } from '../api/validate-input.ts';
import { type ApprovalRules, guardNarrowing } from '../approvals/guard-narrowing.ts';
import { approvalOperations } from '../approvals/operations.ts';
import type { AccountId, BucketName, Region } from '../event/types.ts';
import { proveEntry } from '../evidence/get-inclusion-proof.ts';
import { createTreeFollower, type TreeFollower } from '../evidence/grow-tree.ts';
import { evidenceOperations } from '../evidence/operations.ts';
import { keyStatementReader } from '../evidence/read-key-statement.ts';
import { stateKeys } from '../evidence/state-keys.ts';
import { watchClock } from '../evidence/watch-clock.ts';
import { openHistoryFollower } from '../history/index-events.ts';
import { historyOperations } from '../history/operations.ts';
import { trustedProxies } from '../http/client-of.ts';
import { DEFAULT_LIMITS } from '../http/limits.ts';
import type { HttpPorts, HttpProblem, Service } from '../http/ports.ts';
import { accountingOperations } from '../intake/accounting-operations.ts';
import { closeCutFirst, findCutSubmission } from '../intake/close-cut-submission.ts';
import { EventCounter } from '../intake/count-events.ts';
import { createCallRecorder } from '../intake/record-call.ts';
import { createServiceRecorder } from '../intake/record-service-event.ts';
import { UsedRegions } from '../intake/used-regions.ts';
import { Books, type CountedFollower } from '../intake/watch-books.ts';
import { createObjectKeys } from '../kms/create-object-keys.ts';
import { createTrailKeys } from '../kms/create-trail-keys.ts';
import type { KmsDeps } from '../kms/kms-deps.ts';
import { type TendKeysDeps, tendKeys } from '../kms/tend-keys.ts';
import { type ExpireDeps, expireObjects } from '../lifecycle/expire-objects.ts';
import { Directory } from '../organizations/directory.ts';
import { builtInTopics } from '../sns/built-in-topics.ts';
import { Deliveries } from '../sns/deliveries.ts';
import { MessageSigner } from '../sns/message-signer.ts';
import type { SnsDeps } from '../sns/sns-deps.ts';
import type { Follower } from '../store/follower.ts';
import { joinDamage } from '../store/join-damage.ts';
import type { JournalDamage } from '../store/journal.ts';
import { KeyedLock } from '../store/keyed-lock.ts';
import { createLockTime } from '../store/object-lock.ts';
import { PageTokens } from '../store/page-tokens.ts';
import { createTrails, type Trails } from '../trail/create-trails.ts';
import { narrowsBucket } from '../trail/narrows-bucket.ts';
import { applyDeclared } from './apply-declared.ts';
import { bulkRoute } from './bulk-route.ts';
import { createIntakeAccounts } from './create-intake-accounts.ts';
import type { Declared } from './declared.ts';
import { fileCaller, type NewUserKey } from './file-calls.ts';
import { resourceFinder } from './find-resource.ts';
import { findRollback } from './find-rollback.ts';
import { kmsService } from './kms-service.ts';
import { messageOf, reportHttp, reportLost, reportScrub, type ServerLog, stackOf } from './log-problems.ts';
import { organizationsOf, organizationsService } from './organizations-service.ts';
import { createPages, type MetricsAccess } from './pages.ts';
import { queryService } from './query-service.ts';
import { forgetfulCatalog, readOnlyCatalog } from './read-only-catalog.ts';
import { readOnlyJournal } from './read-only-journal.ts';
import { readControlResource, readDataResource } from './read-resource.ts';
import { routeTopics } from './route-topics.ts';
import { type FollowerState, runFollower } from './run-follower.ts';
import { scrubBuckets } from './scrub-buckets.ts';
import { scrubJournal } from './scrub-journal.ts';
import { hashSha256 } from './sha256.ts';
import { snsService } from './sns-service.ts';
import type { Stores } from './stores.ts';
import { subscriptionPages } from './subscription-pages.ts';

/** Number of the first account where nobody chooses one. */
const FIRST_ACCOUNT = '000000000000' as AccountId;
/** How often a full journal is asked for space to close a cut batch. */
const CUT_RETRY_MS = 1_000;

export interface ServerOptions {
  readonly stores: Stores;
  readonly installationId: string;
  /** The account that administers the installation: chosen when it is made, and another one is refused later. Absent: any. */
  readonly firstAccount?: AccountId | undefined;
  /** Id of the organization that the first account creates; absent: any. */
  readonly organizationId?: string | undefined;
  /** Names of the buckets that lie at another S3; none when absent. */
  readonly foreignBuckets?: ReadonlySet<BucketName>;
  /** Region of facts that belong to the installation. */
  readonly region: Region;
  readonly flushIntervalMs: number;
  readonly digestIntervalMs: number;
  /** Rest of followers between two takes (see `runFollower`). */
  readonly gatherMs?: number;
  /** Deterministic gzip, one member. */
  readonly gzip: (content: Uint8Array) => Promise<Uint8Array>;
  /** Keeps a key that was made for an account, where only the operator can read it. */
  readonly keepKey: KeepKey;
  /** Who must approve a change that makes the record smaller; nobody when absent. */
  readonly approvals?: ApprovalRules | undefined;
  /** Who may read `/metrics`; nobody when absent. */
  readonly metricsAccess?: MetricsAccess;
  /** Every request is the root of the first account, and none is asked who it is. For tests, on loopback alone. */
  readonly isOpen?: boolean;
  /** Address ranges of proxies that are believed what they say of their clients; none when absent. */
  readonly trustedProxies?: readonly string[];
  /** Where subscribers of topics reach this server: `https://HOST`. Known when it serves. */
  readonly url: () => string;
  /** Time that signatures are held against: the machine's, also when the clock is set by a file. */
  readonly signatureTimeMs: () => number;
  readonly log: ServerLog;
}

export interface SnowtrailServer {
  readonly accounts: Accounts;
  /** The account that administers the installation. */
  readonly administrator: AccountId;
  /** Present when the installation was made just now. */
  readonly newKey: NewAccessKey | undefined;
  readonly ports: HttpPorts;
  readonly trails: Trails;
  /** The stored data contradict each other: reads are served, nothing is taken, signed or delivered (F46). */
  readonly isReadOnly: boolean;
  readonly tree: TreeFollower;
  readonly followers: readonly Follower[];
  recordCall: RecordCall;
  /** Makes what the configuration file names (`apply-declared.ts`). @throws FileConflict */
  applyDeclared(declared: Declared, keepUserKey: (key: NewUserKey) => Promise<void>): Promise<void>;
  /** Runs every follower but the trails, and checks the books, until `signal` aborts; resolves when none is at work any more. */
  runFollowers(signal: AbortSignal): Promise<void>;
  /** Delivers for the trails, and to the subscribers of topics, until `signal` aborts. */
  runTrails(signal: AbortSignal): Promise<void>;
  /** Looks for damage of the journal, for objects that buckets lost or that are to expire, and for keys that are to be rotated, until `signal` aborts. */
  runScrub(signal: AbortSignal): Promise<void>;
}

/** Opens followers and operations over the stores. Nothing runs yet. */
export async function createServer(options: ServerOptions): Promise<SnowtrailServer> {
  const { stores, region, log, installationId } = options;
  const { clock, chance, objects, keys, treeHashes, historyIndex } = stores;
  const sha256 = hashSha256;
  const origin = `snowtrail/${installationId}`;

  // Accounts are changed by calls alone, which are refused when they cannot be recorded.
  const accounts = new Accounts({ catalog: stores.catalog, keys, clock, chance, keepKey: options.keepKey });
  const identities = new Identities(stores.catalog);
  const keyUses = new KeyUses(stores.catalog);
  const { installation, newKey } = await accounts.open(installationId, options.firstAccount ?? FIRST_ACCOUNT);
  const account = installation.administrator;
  // Before anything is written.
  if (options.firstAccount !== undefined && options.firstAccount !== account)
    throw new Error(
      `the data directory was begun with ${account} as its first account, which cannot become ${options.firstAccount}; ` +
        'leave --account-id out, or choose another --data-dir',
    );

  const rollback = await findRollback(stores);
  const tree = await createTreeFollower({
    journal: stores.journal,
    hashes: treeHashes,
    keys,
    clock,
    catalog: stores.catalog,
    origin,
    sha256,
    rollback: rollback?.phrase,
  });
  const readOnly = tree.contradiction();
  const stored = readOnly === undefined ? stores.journal : readOnlyJournal(stores.journal, readOnly);
  const catalog = readOnly === undefined ? stores.catalog : readOnlyCatalog(stores.catalog, readOnly);
  const ofFollowers = readOnly === undefined ? stores.catalog : forgetfulCatalog(stores.catalog);
  if (readOnly !== undefined) {
    log.error(`only reads are served: ${readOnly}`);
    historyIndex.keepFiles();
  }

  for (const damage of joinDamage(stores.journal.damage())) reportScrub(log, { kind: 'damaged', damage });

  // Before anything else is appended: the end of the journal shows whether a batch was cut.
  const cut = readOnly === undefined ? await findCutSubmission(stored, { account, region, nowMs: clock.nowMs() }) : undefined;
  const { journal, close } = closeCutFirst(stored, cut);
  let isCutClosed = await close();
  const closeCut = async (signal: AbortSignal): Promise<void> => {
    while (!isCutClosed) {
      await clock.sleep(CUT_RETRY_MS, signal);
      if (signal.aborted) return;
      isCutClosed = await close();
    }
  };

  const keyStatements = { journal, keys, clock, origin, account, region };
  if (readOnly === undefined) await stateKeys(keyStatements);
  const history = await openHistoryFollower({ index: historyIndex, journal, catalog: ofFollowers, clock, sha256 });
  const counter = await EventCounter.open({ catalog: ofFollowers, journal, clock });
  const tokens = new PageTokens(keys, chance);
  const lockTime = createLockTime(clock);
  const intakeStores = { journal, clock, chance, sha256, regions: new UsedRegions(catalog) };
  const recordEvents = createServiceRecorder(intakeStores);
  const kms: KmsDeps = {
    ...{ catalog, journal, keys, clock, lockTime, chance, sha256, tokens, removals: new KeyedLock() },
    foreignKeys: stores.foreignKeys,
    recordKeyEvent: (event) =>
      recordEvents([{ ...event, eventSource: 'kms.amazonaws.com', category: 'Management', origin: 'AWS Internal' }]),
  };
  const tokenKey = await keys.derive('sns-subscriptions');
  const signer = await MessageSigner.open({ catalog, keys, clock, chance, name: origin });
  const deliveries = await Deliveries.open({
    catalog,
    clock,
    chance,
    tokenKey,
    outbound: stores.subscribers,
    queues: stores.queues,
    mailer: stores.mailer,
    signer,
    url: options.url,
    report: ({ kind, subscription, error }) =>
      log[kind === 'halted' ? 'error' : 'warn'](`subscription ${subscription}: ${messageOf(error)}`, { kind }),
  });
  const sns: SnsDeps = {
    catalog,
    journal,
    clock,
    chance,
    sha256,
    tokens,
    tokenKey,
    deliveries,
    hasQueues: stores.queues !== undefined,
    hasMailer: stores.mailer !== undefined,
  };
  const trails = await createTrails({
    catalog,
    journal,
    objects,
    ...(options.foreignBuckets === undefined ? {} : { foreignBuckets: options.foreignBuckets }),
    logGroups: stores.logGroups,
    topics: routeTopics(builtInTopics(sns), stores.foreignTopics),
    keys,
    trailKeys: createTrailKeys(kms),
    clock,
    chance,
    evidence: tree,
    keyStatement: keyStatementReader(keyStatements),
    proveEntry: (entry) => proveEntry({ tree, sha256 }, entry),
    sha256,
    gzip: options.gzip,
    origin,
    flushIntervalMs: options.flushIntervalMs,
    digestIntervalMs: options.digestIntervalMs,
    report: ({ trail, kind, error, failures }) =>
      log[kind === 'halted' ? 'error' : 'warn'](`follower ${trail}: ${messageOf(error)}`, { kind, failures }),
  });

  const directory = await Directory.open({ catalog, journal, sha256, changeMembers: (change) => trails.changeMembers(change) });
  const limits = { changes: () => directory.changes(), of: (account: AccountId) => directory.limitsOf(account) };
  const authorizer = new Authorizer({
    findPolicies: principalPoliciesFinder(identities, limits),
    findResource: resourceFinder({ objects, identities, kms }),
    organizationOf: limits.of,
  });
  const recorder = createCallRecorder({ ...intakeStores, decisionOf: (call) => authorizer.decisionOf(call) });
  const recordCall: RecordCall = async (record) => {
    await recorder(record);
    const { principal, account, region, receivedAtMs } = record.call;
    if (principal.type === 'IAMUser' && principal.session === undefined)
      keyUses.note(account, principal.accessKeyId, { atMs: receivedAtMs, service: record.eventSource.split('.')[0]!, region });
  };

  const counted = (): readonly CountedFollower[] => [
    {
      name: counter.name,
      cursor: () => counter.cursor(),
      start: () => 0n,
      counts: () => counter.acceptedCounts(),
      changedCounts: () => counter.changedAcceptedCounts(),
    },
    {
      name: tree.name,
      cursor: () => tree.cursor(),
      start: () => 0n,
      counts: () => [],
      changedCounts: () => [],
      holds: (entry) => tree.holds(entry),
    },
    {
      name: history.name,
      cursor: () => history.countedTo(),
      start: () => 0n,
      counts: () => history.counts(),
      changedCounts: () => history.changedCounts(),
    },
    ...trails.followers(),
  ];
  const books = new Books({ journal, clock, followers: counted, catalog: readOnly === undefined ? catalog : undefined });
  const states = new Map<string, FollowerState>();
  const followers: readonly Follower[] = [counter, tree, history];
  const followerStates = (): readonly FollowerState[] => [
    ...followers.map(({ name }) => states.get(name) ?? { name, state: 'running' as const }),
    ...trails.followers().map(({ name }) => {
      // Nothing is delivered from data that contradict each other.
      if (readOnly !== undefined) return { name, state: 'stopped' as const, problem: readOnly };
      const health = trails.health(name);
      const state = health?.state === 'halted' ? 'stopped' : health?.state === 'retrying' ? 'retrying' : 'running';
      return { name, state: state as FollowerState['state'], ...(health?.reason === undefined ? {} : { problem: health.reason }) };
    }),
  ];

  const evidence = evidenceOperations({ ...keyStatements, tree, sha256 });
  const lookups = historyOperations({
    index: historyIndex,
    journal,
    follower: history,
    tokens,
    clock,
    sha256,
    accounts: () => accounts.list().map((info) => info.account),
  });
  const approvals = { catalog, clock, rules: options.approvals, sha256 };
  const guard = guardNarrowing(approvals);
  const organizations = organizationsOf({
    directory,
    tokens,
    accounts,
    trails,
    clock,
    chance,
    administrator: account,
    chosenId: options.organizationId,
  });
  const passedOver = () =>
    [history, counter].flatMap((follower) => joinDamage(follower.passedOver()).map((range) => ({ ...range, follower: follower.name })));
  const messageLines = async () => [...(await trails.noticeLines()), ...(await deliveries.messageLines())];
  const accounting = accountingOperations({
    journal,
    clock,
    counter,
    historyIndex,
    books,
    followers: counted,
    followerStates,
    messageLines,
    passedOver,
    missing: rollback,
  });
  const snowtrail: Service = {
    protocol: 'snowtrail',
    eventSource: 'snowtrail.amazonaws.com',
    operations: tableOf(
      evidence.snowtrail,
      lookups.snowtrail,
      trails.operations.snowtrail,
      accountOperations(accounts),
      [explainAccess({ accounts, identities, authorizer }) as Operation],
      approvalOperations(approvals),
      accounting,
    ),
  };
  const access = {
    identities,
    accounts,
    keyUses,
    keys,
    clock,
    chance,
    tokens,
    outbound: stores.outbound,
    realTimeMs: options.signatureTimeMs,
  };
  const cloudtrail = [
    evidence.cloudtrail,
    lookups.cloudtrail,
    trails.operations.cloudtrail,
    organizations.cloudtrail,
    resourcePolicyOperations,
  ].flat();
  const modelled: Pick<Service, 'decodeInput' | 'checkInput' | 'encodeOutput'> = {
    decodeInput,
    checkInput: (operation, input) => checkConstraints(operation, input as ModelObject),
    encodeOutput: (operation, output) => encodeOutput(operation, output as ModelObject),
  };
  const services = new Map<string, Service>([
    ['sns', snsService(sns)],
    [
      'cloudtrail',
      {
        protocol: 'aws-json',
        eventSource: 'cloudtrail.amazonaws.com',
        apiVersion: '2013-11-01',
        operations: tableOf(completeTable('cloudtrail', cloudtrail, readControlResource)),
        ...modelled,
      },
    ],
    [
      'cloudtrail-data',
      {
        protocol: 'rest-json',
        eventSource: 'cloudtrail-data.amazonaws.com',
        apiVersion: '2021-08-11',
        category: 'Data',
        operations: tableOf(completeTable('cloudtrail-data', [], readDataResource)),
        ...modelled,
      },
    ],
    ['iam', queryService('iam', iamOperations(access))],
    ['sts', queryService('sts', stsOperations(access))],
    ['organizations', organizationsService(tableOf(organizations.organizations))],
    ['kms', kmsService(kms)],
    ['snowtrail', snowtrail],
  ]);
  const report = (problem: HttpProblem) => reportHttp(log, problem);
  const { authorize } = authorizer;
  const expiring: ExpireDeps = {
    clock,
    lockTime,
    objects,
    journal,
    sha256,
    accounts: () => accounts.list().map((info) => info.account),
    record: (expirations) =>
      recordEvents(
        expirations.map((each) => ({
          ...each,
          eventSource: 's3.amazonaws.com',
          eventName: 'LifecycleExpiration',
          category: 'Data' as const,
        })),
      ),
    report: (bucket, error) => log.warn(`lifecycle rules of the bucket ${bucket} could not be carried out: ${messageOf(error)}`),
  };
  const tending: TendKeysDeps = {
    ...{ kms, clock },
    report: (key, error) => log.warn(`the key ${key} could not be rotated, or removed at its time: ${messageOf(error)}`),
  };
  const recording = { authorize, guard, recordCall, report };
  const intake = { ...intakeStores, accounts: createIntakeAccounts(accounts, snowtrail, recording) };

  const ports: HttpPorts = {
    findCredentials: credentialFinder({ accounts, identities, keys }),
    authorize,
    isTrustedProxy: trustedProxies(options.trustedProxies ?? []),
    withReach: authorizer.withReach,
    objectKeys: createObjectKeys({
      ...kms,
      authorize,
      recordCall,
      reportUnrecorded: ({ call, eventName }, error) => report({ kind: 'read-not-recorded', requestId: call.requestId, eventName, error }),
    }),
    guard,
    // Nobody asks where no change waits for approval: it reads all trails.
    narrowsBucket: async (change) => (options.approvals === undefined ? undefined : narrowsBucket({ catalog, objects }, change)),
    ...(options.isOpen === true ? { trustedCaller: { principal: accounts.trustedRoot(), region } } : {}),
    recordCall,
    clock,
    lockTime,
    chance,
    objects,
    services,
    streams: new Map([['POST /v1/events', bulkRoute(intake)]]),
    pages: new Map([
      ...subscriptionPages(sns, signer),
      ...createPages({
        journal,
        counter,
        historyIndex,
        books,
        followers: counted,
        followerStates,
        logsFollowers: () => trails.logsFollowers(),
        messageLines,
        metricsAccess: options.metricsAccess ?? {},
      }),
    ]),
    limits: DEFAULT_LIMITS,
    signatureTimeMs: options.signatureTimeMs,
    report,
  };

  return {
    accounts,
    administrator: account,
    newKey,
    ports,
    trails,
    tree,
    followers,
    recordCall,
    isReadOnly: readOnly !== undefined,
    applyDeclared: async (declared, keepUserKey) => {
      if (readOnly !== undefined) return log.error('what the configuration file names is not made while only reads are served');
      const makeCall = fileCaller({ accounts, services, recording, clock, chance, region, keepUserKey });
      const tell = (message: string) => log.warn(message);
      await applyDeclared({ accounts, identities, directory, clock, administrator: account, makeCall, tell }, declared);
    },
    runTrails: async (signal) => {
      if (readOnly === undefined) await Promise.all([trails.run(signal), deliveries.run(signal)]);
    },
    runScrub: async (signal) => {
      await Promise.all([
        scrubJournal({ clock, journal, report: (problem) => reportScrub(log, problem) }, signal),
        // Puts objects again: nothing is delivered while the data contradict each other.
        ...(readOnly === undefined ? [scrubBuckets({ clock, trails, report: (found) => reportLost(log, found) }, signal)] : []),
        ...(readOnly === undefined ? [expireObjects(expiring, signal), tendKeys(tending, signal)] : []),
      ]);
    },
    runFollowers: async (signal) => {
      const report = (state: FollowerState, error?: unknown) => {
        states.set(state.name, state);
        if (state.state === 'running') log.info(`follower ${state.name} works again`);
        else
          log[state.state === 'stopped' ? 'error' : 'warn'](`follower ${state.name} ${state.state}: ${state.problem}`, {
            stack: stackOf(error),
          });
      };
      const reportPassedOver = (name: string, { from, to, file, reason }: JournalDamage) =>
        log.error(`follower ${name} goes on without journal entries ${from} to ${to}: ${file}: ${reason}; see \`snowtrail doctor\``);
      await Promise.all([
        ...followers.map((follower) =>
          runFollower({ follower, journal, clock, chance, gatherMs: options.gatherMs ?? 0, report, reportPassedOver }, signal),
        ),
        tree.run(signal, (problem) => {
          if (problem === undefined) log.info('checkpoints are signed again');
          else log.error(`no checkpoint can be signed: ${problem.message}`);
        }),
        books.run(signal, (error) => log.error(`the books could not be checked: ${messageOf(error)}`)),
        closeCut(signal).catch((error: unknown) => log.error(`a batch that a crash cut could not be closed: ${messageOf(error)}`)),
        watchClock({ clock, journal, account, region }, signal).catch((error: unknown) =>
          log.error(`the clock is not watched any more: ${messageOf(error)}`),
        ),
      ]);
    },
  };
}

function tableOf(...groups: readonly (readonly Operation[])[]): OperationTable {
  return new Map(groups.flat().map((operation) => [operation.name, operation as Operation<unknown>]));
}
