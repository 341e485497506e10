/**
 * `snowtrail trails test`: what selectors would have kept of the last days, beside what the trail keeps now. Changes nothing.
 */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { ApiError } from '../../api/api-error.ts';
import { readSelectors, type SelectorsInput } from '../../selector/read-selectors.ts';
import type { Selectors } from '../../selector/selectors.ts';
import { Client } from '../client.ts';
import { EXIT, UsageError } from '../exit.ts';
import { findServer } from '../find-server.ts';
import type { GlobalOptions } from '../global-options.ts';
import { outputForm, printRows, say } from '../output.ts';
import { parseTime } from '../parse-time.ts';
import { Progress } from '../progress.ts';
import { safeText } from '../safe-text.ts';
import { addUnreadable, searchPages, warnOfUnreadable } from '../search-pages.ts';
import { type Kept, SelectorTest } from '../test-selectors.ts';
import { type FoundTrail, findTrail, type GivenSelectors, selectorsOf, type Trail } from './trails.ts';

interface TestOptions extends GlobalOptions {
  readonly selectors: string;
  readonly last: string;
}

export function addTrailsTest(trails: Command): void {
  trails
    .command('test')
    .description('what other selectors would have kept, by event and account')
    .argument('<trail>', 'name or ARN')
    .requiredOption('--selectors <file>', 'JSON as PutEventSelectors takes it, or the list alone')
    .option('--last <time>', 'how far to look back', '7d')
    .action(async (name: string, _: object, self: Command) => testSelectors(self.optsWithGlobals<TestOptions>(), name));
}

async function testSelectors(options: TestOptions, name: string): Promise<void> {
  outputForm(options);
  const then = await readSelectorFile(options.selectors);
  const nowMs = Date.now();
  const From = new Date(parseTime(options.last, '--last', nowMs)).toISOString();
  const found = await findTrail(options, name);
  const { trail, now } = await settingsOf(found);
  const test = new SelectorTest(now, then);
  const progress = new Progress(options.quiet ?? false, 1);
  const unreadable = new Set<string>();
  const isOrganization = trail.IsOrganizationTrail === true;
  const input = {
    From,
    To: new Date(nowMs).toISOString(),
    ...(isOrganization ? {} : { AccountIds: [trail.TrailARN.split(':')[4]!] }),
    ...(trail.IsMultiRegionTrail ? {} : { Regions: [trail.HomeRegion] }),
  };
  const client = new Client(await findServer(options));
  for await (const page of searchPages(client, { operation: 'ExportEvents', input })) {
    addUnreadable(unreadable, page);
    for (const event of page.Events) if (event.Source !== 'import') test.add(event);
    progress.add(
      page.Events.length,
      page.Events.reduce((sum, { Record }) => sum + Record.length, 0),
    );
  }
  progress.end();
  await printRows(
    options,
    [
      { heading: 'account', cell: (event) => event.account },
      { heading: 'source', cell: (event) => event.eventSource, widthMax: 30 },
      { heading: 'event', cell: (event) => event.eventName, widthMax: 36 },
      { heading: 'kind', cell: (event) => event.category },
      { heading: 'events', cell: (event) => String(event.events) },
      { heading: 'kept now', cell: (event) => String(event.kept.now) },
      { heading: 'kept then', cell: (event) => String(event.kept.after) },
    ],
    test.events(),
  );
  const { events, kept, bytes, cost } = test.totals();
  say(
    options,
    `of ${events} events since ${From}: kept now ${kept.now}, then ${kept.after}; of their records ${compared(bytes, sizeText)}`,
  );
  say(
    options,
    `at the service's list price ${compared(cost, costText)}; its first copy of management events is free, which is not taken off`,
  );
  if (isOrganization) say(options, 'events of the accounts that this key may see; imported events count for no trail');
  if (warnOfUnreadable(unreadable)) process.exitCode = EXIT.partial;
}

async function settingsOf({ arn, home }: FoundTrail): Promise<{ readonly trail: Trail; readonly now: Selectors }> {
  const [{ Trail: trail }, given] = await Promise.all([
    home.cloudtrail<{ Trail: Trail }>('GetTrail', { Name: arn }),
    home.cloudtrail<GivenSelectors>('GetEventSelectors', { TrailName: arn }),
  ]);
  return { trail, now: selectorsOf(given) };
}

/** @throws UsageError naming the file, and the place in it where selectors are wrong. */
async function readSelectorFile(path: string): Promise<Selectors> {
  const wrong = (reason: string) => new UsageError(`\`--selectors ${safeText(path)}\` ${reason}`);
  let given: unknown;
  try {
    given = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw wrong(`cannot be read as JSON: ${safeText((error as Error).message)}`);
  }
  try {
    return readSelectors(inputOf(given));
  } catch (error) {
    if (error instanceof ApiError) throw wrong(`holds no selectors of a trail: ${safeText(error.message)}`);
    throw wrong('holds no selectors of a trail: expected {"AdvancedEventSelectors": […]}, {"EventSelectors": […]} or one of the lists');
  }
}

function inputOf(given: unknown): SelectorsInput {
  if (!Array.isArray(given)) return given as SelectorsInput;
  const isAdvanced = given.some((each) => typeof each === 'object' && each !== null && 'FieldSelectors' in each);
  return isAdvanced ? { AdvancedEventSelectors: given } : { EventSelectors: given };
}

function compared({ now, after }: Kept, text: (value: number) => string): string {
  return `${text(now)} now, ${text(after)} then`;
}

function sizeText(bytes: number): string {
  return bytes < 1_048_576 ? `${(bytes / 1_024).toFixed(1)} KiB` : `${(bytes / 1_048_576).toFixed(1)} MiB`;
}

function costText(usd: number): string {
  return `USD ${usd.toFixed(4)}`;
}
