/**
 * A random program: what clients, operators and misfortune do to one installation, as the seed decides.
 */
import type { AccountId, BucketName, Region } from '../../src/event/types.ts';
import { bucketPolicy } from '../support/trail-rig.ts';
import { Client } from './client.ts';
import { Ledger } from './ledger.ts';
import { ADMINISTRATOR, DIGEST_MS, describeEnding, FLUSH_MS, HOME, Life, Violation } from './life.ts';
import { badRecord, conflictingRecord, goodRecord, REGIONS, type SentRecord } from './records.ts';
import { SELECTION_NAMES, SELECTIONS, selectionShown } from './selection.ts';
import { isSameFace, type TrailFace, TrailModel } from './trail-model.ts';
import { faultsOf, verifyBucket } from './verify-bucket.ts';
import { type CrashPlace, type Ending, LifeEnded, type World } from './world.ts';

const OTHERS = ['222222222222', '333333333333'] as AccountId[];
const ACTIONS_MIN = 15;
const ACTIONS_MAX = 45;
/** Starts in a row that may fail because of a planned crash or fault. */
const STARTS_MAX = 20;
/** Longest time after the last fault until everything is delivered: above the longest back-off, several times. */
const DRAIN_MS_MAX = 1_200_000;

/** More than the bulk endpoint puts into one append. */
const MANY_RECORDS = 510;
/** Each data event is in one of these. */
const AGGREGATION = [{ EventCategory: 'Data', Templates: ['API_ACTIVITY'] }];
/** Digest keys of one run, at most: an RSA key takes long to find. */
const DIGEST_KEYS_MAX = 3;

interface Action {
  readonly weight: number;
  run(life: Life): Promise<void>;
}

export class Program {
  readonly world: World;
  readonly ledger = new Ledger();
  readonly client: Client;
  readonly trails: readonly TrailModel[];
  readonly #actions: readonly Action[];
  #life: Life | undefined;
  /** Latest time that any clock showed. */
  #latestMs = 0;

  constructor(world: World) {
    this.world = world;
    this.client = new Client(world, this.ledger);
    const trail = (account: AccountId, region: string, name: string) =>
      new TrailModel({ account, region: region as Region, name, bucket: `bucket-of-${name}` as BucketName });
    this.trails = [trail(ADMINISTRATOR, HOME, 'main'), trail(ADMINISTRATOR, 'us-west-2', 'side'), trail(OTHERS[0]!, 'us-east-1', 'other')];
    this.#actions = this.#listActions();
  }

  /** Runs the program; at its end everything is healed and delivered, and all trails are off. */
  async run(): Promise<Life> {
    await this.#makeBuckets();
    await this.#withLife(() => this.#prepare());
    const count = this.world.pick(ACTIONS_MIN, ACTIONS_MAX);
    for (let done = 0; done < count; done++) {
      const action = this.#chooseAction();
      await this.#withLife((life) => action.run(life));
    }
    return this.#drain();
  }

  // --- lives ------------------------------------------------------------------------------------------------------

  /** Does something in a running server; starts one when there is none. What a death interrupts stays undone. */
  async #withLife(work: (life: Life) => Promise<void>): Promise<void> {
    const life = await this.#living();
    await work(life);
    this.#latestMs = Math.max(this.#latestMs, this.world.nowMs());
    if (life.isDead) this.#bury();
  }

  async #living(): Promise<Life> {
    for (let tries = 0; this.#life === undefined; tries++) {
      if (tries > STARTS_MAX) throw new Violation('the server does not start any more');
      try {
        this.#life = await Life.start(this.world);
        this.world.trace.add(`life ${this.#life.number} starts`);
      } catch (error) {
        if (error instanceof LifeEnded) {
          this.#bury();
          continue;
        }
        // A start needs space, and files that can be read.
        const hasReason = this.world.isTroubled();
        this.world.trace.add(`a start fails: ${String(error)}`);
        if (!hasReason) throw new Violation(`the server does not start: ${String(error)}`, { cause: error });
        this.world.setFreeBytes(undefined);
        this.#bury();
      }
      if (this.#life !== undefined) await this.#settleChanges(this.#life);
      if (this.#life?.isDead) this.#bury();
    }
    return this.#life;
  }

  #bury(): void {
    const how = this.world.lastEnding;
    this.world.trace.add(`the server is gone (${describeEnding(how)})`);
    this.#life = undefined;
    this.world.recover(how);
    // Mostly a moment, now and then several intervals of digests.
    // Recovery may be cut as well, again and again (F03).
    if (this.world.isLucky(0.25)) this.world.planCrash(this.world.pick(1, 60), 'step', this.world.isLucky(0.5) ? 'kill' : 'power-cut');
    this.world.rest(this.world.isLucky(0.8) ? this.world.pick(0, 5_000) : this.world.pick(0, 5 * DIGEST_MS));
  }

  /** Finds out what became of changes whose answer was lost. */
  async #settleChanges(life: Life): Promise<void> {
    for (const trail of this.trails) {
      if (trail.pending === undefined || life.isDead) continue;
      const found = await this.#look(life, trail);
      if (found === 'unknown') return;
      const { requestId, after } = trail.pending;
      trail.pending = undefined;
      if (isSameFace(found, after)) trail.becomes(after, requestId);
      else if (!isSameFace(found, trail.face))
        throw new Violation(`trail ${trail.name} is ${JSON.stringify(found)}: neither as before nor as a lost call made it`);
    }
  }

  /** How the server shows the trail. */
  async #look(life: Life, trail: TrailModel): Promise<TrailFace | 'unknown'> {
    const found = await this.client.call(life, trail.account, 'GetTrail', { Name: trail.name }, trail.region);
    if (found.kind === 'refused' && found.code === 'TrailNotFoundException') return undefined;
    const status = await this.client.call(life, trail.account, 'GetTrailStatus', { Name: trail.name }, trail.region);
    const selectors = await this.client.call(life, trail.account, 'GetEventSelectors', { TrailName: trail.name }, trail.region);
    const counting = await this.client.call(life, trail.account, 'GetEventConfiguration', { TrailName: trail.name }, trail.region);
    if ([found, status, selectors, counting].some(({ kind }) => kind === 'no-answer')) return 'unknown';
    if (found.kind !== 'answer' || status.kind !== 'answer' || selectors.kind !== 'answer' || counting.kind !== 'answer')
      throw new Violation(`trail ${trail.name} cannot be looked at: ${JSON.stringify(found)}`);
    const shown = found.output['Trail'] as { readonly IsMultiRegionTrail: boolean; readonly LogFileValidationEnabled: boolean };
    return {
      isLogging: status.output['IsLogging'] === true,
      isMultiRegion: shown.IsMultiRegionTrail,
      validates: shown.LogFileValidationEnabled,
      selection: selectionShown(selectors.output),
      aggregates: (counting.output['AggregationConfigurations'] as readonly object[]).length > 0,
    };
  }

  // --- actions ----------------------------------------------------------------------------------------------------

  #listActions(): readonly Action[] {
    const { world } = this;
    const how = (): Ending => (world.isLucky(0.6) ? 'power-cut' : 'kill');
    return [
      { weight: 30, run: (life) => this.#submitSome(life) },
      { weight: 14, run: (life) => life.pass(world.pick(1, 5_000)) },
      { weight: 10, run: (life) => life.pass(FLUSH_MS + world.pick(0, 10_000)) },
      { weight: 5, run: (life) => life.pass(DIGEST_MS + world.pick(0, DIGEST_MS)) },
      { weight: 12, run: (life) => this.#changeTrail(life, world.choose(this.trails)) },
      { weight: 6, run: (life) => this.#lookUpSome(life) },
      { weight: 3, run: (life) => this.#jump(life) },
      {
        weight: 4,
        run: async () => {
          world.objectsTrouble = world.choose(['away', 'flaky', 'hangs', 'none', 'none']);
          world.trace.add(`buckets: ${world.objectsTrouble}`);
        },
      },
      {
        weight: 3,
        run: async (life) => {
          world.isCatalogFlaky = true;
          world.trace.add('the catalog fails now and then');
          await this.#submitSome(life);
          await life.pass(FLUSH_MS);
          world.isCatalogFlaky = false;
        },
      },
      { weight: 2, run: () => this.#denyOrAllow(world.choose(this.trails)) },
      { weight: 1, run: (life) => this.#submitMany(life) },
      { weight: 2, run: (life) => this.#rotate(life) },
      { weight: 3, run: (life) => this.#verify(life, world.choose(this.trails)) },
      {
        weight: 3,
        run: async () => {
          world.setFreeBytes(world.freeBytes === undefined ? world.pick(0, 8_000) : undefined);
          world.trace.add(`free bytes: ${world.freeBytes ?? 'plenty'}`);
        },
      },
      {
        weight: 4,
        run: async (life) => {
          world.fileFault = {
            kind: world.choose(['EIO', 'ENOSPC', 'EDQUOT', 'half-then-ENOSPC', 'short-write']),
            calls: world.pick(1, 8),
          };
          await this.#submitSome(life);
          await life.pass(1_000);
        },
      },
      {
        weight: 4,
        run: async () => {
          world.trace.add('a crash between two actions');
          world.end(how());
        },
      },
      {
        weight: 16,
        run: async (life) => {
          const at = world.choose<CrashPlace>(['step', 'sync']);
          const steps = at === 'sync' ? world.pick(1, 6) : world.pick(1, 60);
          world.trace.add(`a crash in ${steps} times a ${at}`);
          world.planCrash(steps, at, how());
          await this.#submitSome(life);
          if (world.isLucky(0.5)) await this.#changeTrail(life, world.choose(this.trails));
          await life.pass(FLUSH_MS);
        },
      },
      {
        weight: 3,
        run: async (life) => {
          await Promise.all([this.#submitSome(life), this.#changeTrail(life, world.choose(this.trails)), life.pass(1_000)]);
        },
      },
      {
        weight: 2,
        run: async (life) => {
          world.trace.add('the operator stops the server');
          await life.stop();
        },
      },
    ];
  }

  #chooseAction(): Action {
    const total = this.#actions.reduce((sum, { weight }) => sum + weight, 0);
    let at = this.world.chance.fraction() * total;
    for (const action of this.#actions) {
      at -= action.weight;
      if (at < 0) return action;
    }
    return this.#actions[0]!;
  }

  /** One to three clients at once. */
  async #submitSome(life: Life): Promise<void> {
    const { world } = this;
    const clients = Array.from({ length: world.pick(1, 3) }, () => this.#newSubmission());
    await Promise.all(clients.map((submission) => this.client.submit(life, submission)));
  }

  #newSubmission(): Parameters<Client['submit']>[1] {
    const { world, ledger } = this;
    const earlier = ledger.records.length > 0 && world.isLucky(0.25) ? world.choose(ledger.records) : undefined;
    const known = [ADMINISTRATOR, ...OTHERS].filter((account) => this.client.has(account));
    const caller = earlier?.caller ?? world.choose(known);
    const createAccounts = caller === ADMINISTRATOR && world.isLucky(0.3);
    const source = earlier?.source ?? (world.isLucky(0.1) ? 'import' : 'record');
    const records: SentRecord[] = [];
    if (earlier !== undefined) records.push(earlier.record);
    for (let count = world.pick(1, 12); count > 0; count--) {
      const kind = world.chance.fraction();
      const foreign = world.choose([ADMINISTRATOR, ...OTHERS]);
      if (kind < 0.06) records.push(badRecord(world));
      else if (kind < 0.1 && records.length > 0) records.push(world.choose(records));
      else if (kind < 0.13 && earlier?.record.eventId !== undefined) records.push(conflictingRecord(world, earlier.record));
      else records.push(goodRecord(world, kind < 0.4 ? foreign : caller));
    }
    return {
      caller,
      region: world.choose(REGIONS),
      source,
      createAccounts,
      records,
      ...(world.isLucky(0.05) ? { hangsUpAfter: world.pick(0, records.length) } : {}),
    };
  }

  async #changeTrail(life: Life, trail: TrailModel): Promise<void> {
    if (life.isDead || !this.client.has(trail.account)) return;
    const { world } = this;
    const { face } = trail;
    if (face === undefined)
      return this.#change(life, trail, 'CreateTrail', {
        isMultiRegion: world.isLucky(0.6),
        validates: world.isLucky(0.9),
        selection: 'All',
        aggregates: false,
      });
    const kind = world.chance.fraction();
    // A deleted trail gives up a bucket that is closed to it: what it owes then is nobody's to check.
    if (kind < 0.12 && !trail.isDenied) return this.#change(life, trail, 'DeleteTrail');
    if (kind < 0.3) return this.#change(life, trail, 'UpdateTrail', { ...face, isMultiRegion: !face.isMultiRegion });
    if (kind < 0.4) return this.#change(life, trail, 'UpdateTrail', { ...face, validates: !face.validates });
    if (kind < 0.55) return this.#change(life, trail, 'PutEventSelectors', { ...face, selection: world.choose(SELECTION_NAMES) });
    if (kind < 0.7 && (face.aggregates || face.selection === 'Objects'))
      return this.#change(life, trail, 'PutEventConfiguration', { ...face, aggregates: !face.aggregates });
    return this.#change(life, trail, face.isLogging ? 'StopLogging' : 'StartLogging');
  }

  /** Lets a trail take data events, of all Regions, and count them. */
  async #aggregate(life: Life, trail: TrailModel): Promise<void> {
    const is = () => trail.face!;
    if (!is().isMultiRegion) await this.#change(life, trail, 'UpdateTrail', { ...is(), isMultiRegion: true });
    await this.#change(life, trail, 'PutEventSelectors', { ...is(), selection: 'Objects' });
    await this.#change(life, trail, 'PutEventConfiguration', { ...is(), aggregates: true });
  }

  /** Changes a trail; `settings` are what holds afterwards. */
  async #change(
    life: Life,
    trail: TrailModel,
    name: 'CreateTrail' | 'UpdateTrail' | 'PutEventSelectors' | 'PutEventConfiguration' | 'DeleteTrail' | 'StartLogging' | 'StopLogging',
    settings: Omit<NonNullable<TrailFace>, 'isLogging'> = trail.face ?? {
      isMultiRegion: false,
      validates: true,
      selection: 'All',
      aggregates: false,
    },
  ): Promise<void> {
    const { isMultiRegion, validates, selection, aggregates } = settings;
    const hasSettings = name === 'CreateTrail' || name === 'UpdateTrail';
    const isOfEvents = name === 'PutEventSelectors' || name === 'PutEventConfiguration';
    const input = {
      ...(isOfEvents ? { TrailName: trail.name } : { Name: trail.name }),
      ...(name === 'PutEventSelectors' ? SELECTIONS[selection].input : {}),
      ...(name === 'PutEventConfiguration' ? { AggregationConfigurations: aggregates ? AGGREGATION : [] } : {}),
      ...(name === 'CreateTrail' ? { S3BucketName: trail.bucket } : {}),
      ...(hasSettings ? { EnableLogFileValidation: validates, IsMultiRegionTrail: isMultiRegion, IncludeGlobalServiceEvents: true } : {}),
    };
    const keepsLogging = name === 'UpdateTrail' || isOfEvents;
    const isLogging = name === 'StartLogging' || (keepsLogging && trail.face!.isLogging);
    const after: TrailFace = name === 'DeleteTrail' ? undefined : { isLogging, isMultiRegion, validates, selection, aggregates };
    const outcome = await this.client.call(life, trail.account, name, input, trail.region);
    if (outcome.kind === 'answer') return trail.becomes(after, outcome.requestId);
    // Refused or not, only a look tells: a call may fail after its change took effect.
    trail.pending = { requestId: outcome.requestId, after };
    if (!life.isDead) await this.#settleChanges(life);
  }

  async #rotate(life: Life): Promise<void> {
    const use = this.world.choose(['digest', 'checkpoint']);
    if (use === 'digest' && (await this.world.keys.list('digest')).length >= DIGEST_KEYS_MAX) return;
    await this.client.call(life, ADMINISTRATOR, 'RotateKey', { Use: use });
  }

  /** More than one append takes: a part may be acknowledged, and the rest refused or lost. */
  async #submitMany(life: Life): Promise<void> {
    const caller = this.world.choose([ADMINISTRATOR, ...OTHERS].filter((account) => this.client.has(account)));
    const records = Array.from({ length: MANY_RECORDS }, () => goodRecord(this.world, caller));
    if (this.world.isLucky(0.5)) this.world.planCrash(this.world.pick(1, 10), 'sync', 'power-cut');
    await this.client.submit(life, { caller, region: HOME, source: 'record', createAccounts: false, records });
    this.world.cancelCrash();
  }

  /** The bucket's owner takes the permission back, or gives it again. */
  async #denyOrAllow(trail: TrailModel): Promise<void> {
    const { account, region, name, bucket } = trail;
    const changes = await this.world.catalog.list<{ readonly kind: string }>(['trail-change', account, region, name]);
    const mayBeDeleted = trail.face === undefined || trail.pending !== undefined || changes.some(({ value }) => value.kind === 'delete');
    if (!trail.isDenied && mayBeDeleted) return;
    trail.isDenied = !trail.isDenied;
    const policy = trail.isDenied ? null : JSON.stringify(bucketPolicy(bucket, account));
    await this.world.objects.updateBucket(bucket, { policy });
    this.world.trace.add(`${bucket} is ${trail.isDenied ? 'closed' : 'open'}`);
  }

  /** At any moment, clean evidence is not taken for a forged one. */
  async #verify(life: Life, trail: TrailModel): Promise<void> {
    if (!this.client.has(trail.account)) return;
    const report = await verifyBucket(this.world, this.client, life, trail);
    this.world.trace.add(`verify ${trail.bucket}: ${report?.verdict ?? 'no answer'}`);
    if (report?.verdict === 'tampered') throw new Violation(`${trail.bucket} is called tampered: ${faultsOf(report)}`);
  }

  async #lookUpSome(life: Life): Promise<void> {
    const { world, ledger } = this;
    const known = ledger.acknowledgements();
    if (known.length === 0) return;
    const { account, eventId, text } = world.choose(known);
    await life.pass(1_000);
    if (life.isDead || !this.client.has(account)) return;
    // Of all that were sent under this id, one alone is the event; the others are marked.
    const found = await this.client.call(life, account, 'SearchEvents', { EventId: eventId });
    if (found.kind !== 'answer') return;
    const events = found.output['Events'] as readonly { readonly Record: string }[];
    const isFound = events.length === 1 && ledger.wasSent(account, events[0]!.Record);
    if (!isFound && !/again [0-2]/.test(text))
      throw new Violation(`event ${eventId} was acknowledged, and is found ${events.length} times a second later`);
  }

  async #jump(life: Life): Promise<void> {
    const ms = this.world.choose([-1, 1]) * this.world.pick(1_000, 10 * DIGEST_MS);
    this.world.trace.add(`the clock jumps by ${ms} ms`);
    this.#latestMs = Math.max(this.#latestMs, this.world.nowMs());
    life.clock.jump(ms);
    await life.pass(2_000);
  }

  // --- begin and end ----------------------------------------------------------------------------------------------

  async #makeBuckets(): Promise<void> {
    const { objects } = this.world;
    for (const { account, region, bucket } of this.trails) {
      await objects.createBucket({ name: bucket, owner: account, region, createdAtMs: this.world.nowMs(), versioning: 'Off' });
      await objects.updateBucket(bucket, { policy: JSON.stringify(bucketPolicy(bucket, account)) });
    }
  }

  async #prepare(): Promise<void> {
    const life = this.#life!;
    for (const trail of this.trails.slice(0, 2)) {
      await this.#change(life, trail, 'CreateTrail', {
        isMultiRegion: trail.name === 'main',
        validates: true,
        selection: 'All',
        aggregates: false,
      });
      if (trail.name === 'side' && this.world.isLucky(0.8)) await this.#aggregate(life, trail);
      await this.#change(life, trail, 'StartLogging');
    }
  }

  /** Heals everything, ends logging, and waits until all followers have come to the end. */
  async #drain(): Promise<Life> {
    const { world } = this;
    world.trace.add('the end: everything heals');
    world.cancelCrash();
    world.objectsTrouble = 'none';
    world.fileFault = undefined;
    world.isCatalogFlaky = false;
    world.setFreeBytes(undefined);
    for (const trail of this.trails) if (trail.isDenied) await this.#denyOrAllow(trail);
    // The device may have failed just now; only as time passes does a life notice that.
    this.#life?.dieWhenDeviceFailed();
    if (this.#life?.isDead) this.#bury();
    const life = await this.#living();
    // Whoever set the clock back sets it right: no checkpoint is signed before the time of the last one.
    life.clock.jump(Math.max(0, this.#latestMs - world.nowMs()) + 1_000);
    for (const trail of this.trails) {
      if (!this.client.has(trail.account) || trail.face === undefined || !trail.face.isLogging) continue;
      await this.#change(life, trail, 'StopLogging');
      if (trail.face?.isLogging) throw new Violation(`trail ${trail.name} cannot be stopped: nothing is wrong any more`);
    }
    for (let passedMs = 0; !(await this.#isDrained(life)); passedMs += FLUSH_MS) {
      if (life.isDead) throw new Violation('the server ends by itself');
      if (passedMs > DRAIN_MS_MAX) throw new Violation(`not everything is delivered: ${await this.#describeRest(life)}`);
      await life.pass(FLUSH_MS);
    }
    return life;
  }

  async #isDrained(life: Life): Promise<boolean> {
    return (await this.#rest(life)).length === 0;
  }

  async #describeRest(life: Life): Promise<string> {
    return (await this.#rest(life)).join('; ');
  }

  /** What is still to be done, in words. */
  async #rest({ server, journal }: Life): Promise<readonly string[]> {
    const head = journal.head();
    const behind = server.followers.filter((follower) => follower.cursor() < head).map(({ name }) => `${name} is behind`);
    const kinds = ['trail-change', 'trail-pending'];
    const documents = (await Promise.all(kinds.map((kind) => this.world.catalog.list([kind])))).flat();
    const trails = server.trails.followers().filter((follower) => follower.cursor() < head);
    const checkpoint = server.tree.latestCheckpoint()?.size ?? 0n;
    return [
      ...behind,
      ...documents.map(({ key }) => key.join('/')),
      ...trails.map((follower) => `${follower.name} is at ${follower.cursor()} of ${head}: ${JSON.stringify(follower.health())}`),
      ...(checkpoint === head ? [] : [`the checkpoint covers ${checkpoint} of ${head}`]),
    ];
  }
}
