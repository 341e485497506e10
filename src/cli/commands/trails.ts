/**
 * `snowtrail trails`: looks at trails, starts and stops them. AWS's own tools make and change them: `aws cloudtrail create-trail`.
 *
 * A trail is found by name or ARN over all Regions, and called in its home Region, as the service requires.
 */
import type { Command } from 'commander';
import { selectsCategory } from '../../selector/normalize.ts';
import type { AdvancedEventSelector, EventSelector, Selectors } from '../../selector/selectors.ts';
import { Client } from '../client.ts';
import { CommandFailed, EXIT, UsageError } from '../exit.ts';
import { findServer } from '../find-server.ts';
import { type GlobalOptions, globalOptions } from '../global-options.ts';
import { addExamples } from '../help.ts';
import { outputForm, printFacts, printRows, say } from '../output.ts';
import { safeText } from '../safe-text.ts';
import type { Fact } from '../table.ts';

/** As GetTrail answers. */
export interface Trail {
  readonly Name: string;
  readonly TrailARN: string;
  readonly HomeRegion: string;
  readonly S3BucketName: string;
  readonly S3KeyPrefix?: string;
  readonly IsMultiRegionTrail: boolean;
  readonly IncludeGlobalServiceEvents: boolean;
  readonly LogFileValidationEnabled: boolean;
  readonly HasCustomEventSelectors: boolean;
  readonly IsOrganizationTrail?: boolean;
  readonly KmsKeyId?: string;
  readonly SnsTopicARN?: string;
  readonly CloudWatchLogsLogGroupArn?: string;
  readonly CloudWatchLogsRoleArn?: string;
  readonly RecursiveLogging?: boolean;
}

/** The selectors of a trail as GetEventSelectors answers. */
export interface GivenSelectors {
  readonly EventSelectors?: readonly EventSelector[];
  readonly AdvancedEventSelectors?: readonly AdvancedEventSelector[];
}

/** Times are in seconds since 1970. */
interface TrailStatus {
  readonly IsLogging: boolean;
  readonly LatestDeliveryTime?: number;
  readonly LatestDeliveryError?: string;
  readonly LatestDigestDeliveryTime?: number;
  readonly LatestDigestDeliveryError?: string;
  readonly LatestNotificationTime?: number;
  readonly LatestNotificationError?: string;
  readonly LatestCloudWatchLogsDeliveryTime?: number;
  readonly LatestCloudWatchLogsDeliveryError?: string;
  readonly StartLoggingTime?: number;
  readonly StopLoggingTime?: number;
}

/** A trail, and a client that speaks to its home Region. */
export interface FoundTrail {
  readonly arn: string;
  readonly name: string;
  readonly home: Client;
}

/** @returns the command, for its further verbs. */
export function addTrails(program: Command): Command {
  const trails = program.command('trails').description('look at trails, start and stop them');
  addExamples(trails, ['trails list', 'trails status management', 'trails test management --selectors new.json --last 7d']);
  trails
    .command('list')
    .description('list the trails of the account, over all Regions')
    .action(async (_: object, self: Command) => listTrails(globalOptions(self)));
  const verbs: readonly (readonly [string, string, (options: GlobalOptions, name: string) => Promise<void>])[] = [
    ['show', 'show the settings of a trail', showTrail],
    ['status', 'show whether a trail logs and how its deliveries go', showStatus],
    ['start', 'let a trail log', startTrail],
    ['stop', 'stop a trail: what came in until now is delivered, then a last digest', stopTrail],
  ];
  for (const [verb, description, run] of verbs) {
    trails
      .command(verb)
      .description(description)
      .argument('<trail>', 'name or ARN')
      .action(async (name: string, _: object, self: Command) => run(globalOptions(self), name));
  }
  return trails;
}

async function listTrails(options: GlobalOptions): Promise<void> {
  outputForm(options);
  const client = new Client(await findServer(options));
  const trails = await Promise.all((await allTrails(client)).map(describe));
  await printRows(
    options,
    [
      { heading: 'name', cell: (trail) => trail.Name, widthMax: 40 },
      { heading: 'home region', cell: (trail) => trail.HomeRegion },
      { heading: 'logging', cell: (trail) => yesNo(trail.IsLogging) },
      { heading: 'regions', cell: (trail) => (trail.IsMultiRegionTrail ? 'all' : 'home') },
      { heading: 'digests', cell: (trail) => yesNo(trail.LogFileValidationEnabled) },
      { heading: 'bucket', cell: (trail) => placeOf(trail), widthMax: 48 },
      { heading: 'events', cell: (trail) => eventsOf(selectorsOf(trail)), widthMax: 40 },
      { heading: 'with', cell: extrasOf, widthMax: 40 },
      { heading: 'problem', cell: problemOf, widthMax: 40 },
    ],
    trails,
  );
  if (trails.length === 0) say(options, 'no trail yet; next: aws cloudtrail create-trail --name NAME --s3-bucket-name BUCKET');
}

type DescribedTrail = Trail & TrailStatus & GivenSelectors;

async function describe({ arn, home }: FoundTrail): Promise<DescribedTrail> {
  const [{ Trail: trail }, status, given] = await Promise.all([
    home.cloudtrail<{ Trail: Trail }>('GetTrail', { Name: arn }),
    home.cloudtrail<TrailStatus>('GetTrailStatus', { Name: arn }),
    home.cloudtrail<GivenSelectors>('GetEventSelectors', { TrailName: arn }),
  ]);
  return { ...trail, ...status, ...given };
}

/** What a trail has that not every trail has, in one word each. */
function extrasOf(trail: Trail): string {
  const extras = [
    ['organization', trail.IsOrganizationTrail === true],
    ['key', trail.KmsKeyId !== undefined],
    ['topic', trail.SnsTopicARN !== undefined],
    ['log group', trail.CloudWatchLogsLogGroupArn !== undefined],
  ] as const;
  return extras.flatMap(([name, has]) => (has ? [name] : [])).join(', ') || '-';
}

/** What is in the way of deliveries, what matters most first. */
function problemOf(status: TrailStatus): string | undefined {
  const { LatestDeliveryError, LatestDigestDeliveryError, LatestCloudWatchLogsDeliveryError, LatestNotificationError } = status;
  const problems = [
    ['', LatestDeliveryError],
    ['digest: ', LatestDigestDeliveryError],
    ['log group: ', LatestCloudWatchLogsDeliveryError],
    ['topic: ', LatestNotificationError],
  ] as const;
  return problems.flatMap(([where, problem]) => (problem === undefined || problem === '' ? [] : [`${where}${problem}`]))[0];
}

async function showTrail(options: GlobalOptions, name: string): Promise<void> {
  outputForm(options);
  const { arn, home } = await findTrail(options, name);
  const [{ Trail: trail }, given] = await Promise.all([
    home.cloudtrail<{ Trail: Trail }>('GetTrail', { Name: arn }),
    home.cloudtrail<GivenSelectors>('GetEventSelectors', { TrailName: arn }),
  ]);
  const selectors = selectorsOf(given);
  await printFacts(
    options,
    [
      ['Name', trail.Name],
      ['ARN', trail.TrailARN],
      ['Home Region', trail.HomeRegion],
      ['Bucket', placeOf(trail)],
      ['Regions', trail.IsMultiRegionTrail ? 'all' : 'its home Region'],
      ['Global events', yesNo(trail.IncludeGlobalServiceEvents)],
      ['Digests', yesNo(trail.LogFileValidationEnabled)],
      ['Events', eventsOf(selectors)],
      ['Organization', yesNo(trail.IsOrganizationTrail === true)],
      ['Key', trail.KmsKeyId],
      ['Topic', trail.SnsTopicARN],
      ['Log group', trail.CloudWatchLogsLogGroupArn],
      ['Log group role', trail.CloudWatchLogsRoleArn],
      ['What it causes itself', trail.RecursiveLogging === undefined ? undefined : trail.RecursiveLogging ? 'logged' : 'left out'],
      [
        'Selectors',
        trail.HasCustomEventSelectors ? JSON.stringify(given.EventSelectors ?? given.AdvancedEventSelectors) : 'none of its own',
      ],
    ],
    { ...trail, ...given },
  );
}

/** The selectors of an answer, in the words of the engine. */
export function selectorsOf({ EventSelectors, AdvancedEventSelectors }: GivenSelectors): Selectors {
  return {
    ...(EventSelectors === undefined ? {} : { eventSelectors: EventSelectors }),
    ...(AdvancedEventSelectors === undefined ? {} : { advancedEventSelectors: AdvancedEventSelectors }),
  };
}

async function showStatus(options: GlobalOptions, name: string): Promise<void> {
  outputForm(options);
  const { arn, home } = await findTrail(options, name);
  const status = await home.cloudtrail<TrailStatus>('GetTrailStatus', { Name: arn });
  const facts: readonly Fact[] = [
    ['Logging', yesNo(status.IsLogging)],
    ['Started', timeOf(status.StartLoggingTime)],
    ['Stopped', timeOf(status.StopLoggingTime)],
    ['Last log file', timeOf(status.LatestDeliveryTime)],
    ['Last digest', timeOf(status.LatestDigestDeliveryTime)],
    ['Last message', timeOf(status.LatestNotificationTime)],
    ['Last log event', timeOf(status.LatestCloudWatchLogsDeliveryTime)],
    ['Log file problem', status.LatestDeliveryError],
    ['Digest problem', status.LatestDigestDeliveryError],
    ['Topic problem', status.LatestNotificationError],
    ['Log group problem', status.LatestCloudWatchLogsDeliveryError],
  ];
  await printFacts(options, facts, status);
}

async function startTrail(options: GlobalOptions, name: string): Promise<void> {
  const { arn, name: found, home } = await findTrail(options, name);
  await home.cloudtrail('StartLogging', { Name: arn });
  say(options, `trail ${safeText(found)} logs; undo: snowtrail trails stop ${safeText(found)}`);
}

async function stopTrail(options: GlobalOptions, name: string): Promise<void> {
  const { arn, name: found, home } = await findTrail(options, name);
  await home.cloudtrail('StopLogging', { Name: arn });
  say(options, `trail ${safeText(found)} logs no more, and the record says so; undo: snowtrail trails start ${safeText(found)}`);
}

/** @throws CommandFailed with exit 5 when there is none; UsageError when several Regions have one of the name. */
export async function findTrail(options: GlobalOptions, nameOrArn: string): Promise<FoundTrail> {
  const trails = await allTrails(new Client(await findServer(options)));
  const [found, ...others] = trails.filter(({ arn, name }) => nameOrArn === arn || nameOrArn === name);
  if (found === undefined) {
    const names = trails.map(({ name }) => safeText(name)).join(', ');
    throw new CommandFailed(EXIT.notFound, `no trail is called \`${safeText(nameOrArn)}\`; there are: ${names || 'none'}`);
  }
  if (others.length > 0) {
    throw new UsageError(
      `several trails are called \`${safeText(nameOrArn)}\`; give one ARN of: ${trails.map(({ arn }) => arn).join(', ')}`,
    );
  }
  return found;
}

async function allTrails(client: Client): Promise<readonly FoundTrail[]> {
  const { Trails } = await client.cloudtrail<{ Trails: readonly Pick<Trail, 'Name' | 'TrailARN' | 'HomeRegion'>[] }>('ListTrails');
  return Trails.map(({ Name, TrailARN, HomeRegion }) => ({
    arn: TrailARN,
    name: Name,
    home: new Client({ ...client.access, region: HomeRegion }),
  }));
}

/** The categories that a trail takes some events of. */
function eventsOf(selectors: Selectors): string {
  const categories = [
    ['Management', 'management'],
    ['Data', 'data'],
    ['NetworkActivity', 'network activity'],
  ] as const;
  return categories.flatMap(([category, name]) => (selectsCategory(selectors, category) ? [name] : [])).join(', ') || 'none';
}

function placeOf(trail: Trail): string {
  return `s3://${trail.S3BucketName}${trail.S3KeyPrefix === undefined ? '' : `/${trail.S3KeyPrefix}`}`;
}

function yesNo(is: boolean): string {
  return is ? 'yes' : 'no';
}

function timeOf(seconds: number | undefined): string | undefined {
  return seconds === undefined ? undefined : new Date(seconds * 1000).toISOString();
}
