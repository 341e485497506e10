/**
 * The tests that moto has of CloudTrail, run from its source in server mode against the built server.
 *
 * All pass but those that assert what an emulator lets through and the service does not: these are listed with what they get here.
 * `SNOWTRAIL_MOTO_TESTS` names the folder of moto's source (default: .ci-tools/moto-5.2.1). A user need not have it: then this is
 * skipped with the reason printed; `SNOWTRAIL_REQUIRE_ALL=1` makes that a failure.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../support/clients.ts';
import { SNOWTRAIL } from '../support/start-server.ts';
import { freePort } from '../support/start-tool.ts';

const ACCOUNT = '123456789012';
const PYTHON = process.env['SNOWTRAIL_PYTHON'] ?? 'python3';
const FOLDER = resolve(process.env['SNOWTRAIL_MOTO_TESTS'] ?? '.ci-tools/moto-5.2.1');
/** It starts a moto in its own process, and so asks no server. */
const IN_PROCESS = 'tests/test_cloudtrail/test_server.py';

const TRAILS = 'test_cloudtrail.py';
const SELECTORS = 'test_cloudtrail_eventselectors.py';
const TAGS = 'test_cloudtrail_tags.py';

/** The key `kki`, the log group `cwllga` and the role `cwlra` are made up: the service looks at each, at the key first. */
const NO_SUCH_KEY = /InvalidKmsKeyIdException.* calling the CreateTrail operation: KMS key id is not valid: kki/;
/** A trail's delivery takes time: right after StartLogging there is none to tell of. */
const NOTHING_DELIVERED = /^KeyError: 'LatestDeliveryTime'$/;
/** Insights selectors are obeyed by nothing here yet, and so are not stored. */
const NO_INSIGHTS = /UnsupportedOperationException.*InsightSelectors is not supported by this installation yet/;

const REFUSED: Readonly<Record<string, RegExp>> = {
  // The service's sentence is there, and after it what the topic's policy lacks.
  [`${TRAILS}::test_create_trail_with_nonexisting_topic`]:
    /^assert 'SNS Topic do.*\n.*\n.*\n.*incorrect!\n.*incorrect! arn:aws:sns:us-east-1:123456789012:nonexistingtopic: There is no such topic/,
  [`${TRAILS}::test_create_trail_advanced`]: NO_SUCH_KEY,
  [`${TRAILS}::test_get_trail_status_multi_region_not_from_the_home_region`]: NO_SUCH_KEY,
  [`${TRAILS}::test_list_trails_different_home_region_one_multiregion`]: NO_SUCH_KEY,
  [`${TRAILS}::test_describe_trails_without_shadowtrails`]: NO_SUCH_KEY,
  [`${TRAILS}::test_describe_trails_with_shadowtrails_true`]: NO_SUCH_KEY,
  [`${TRAILS}::test_describe_trails_with_shadowtrails_false`]: NO_SUCH_KEY,
  [`${TAGS}::test_remove_tags`]: NO_SUCH_KEY,
  [`${TAGS}::test_create_trail_with_tags_and_list_tags`]: NO_SUCH_KEY,
  [`${TRAILS}::test_get_trail_status_after_starting`]: NOTHING_DELIVERED,
  [`${TRAILS}::test_get_trail_status_after_starting_and_stopping`]: NOTHING_DELIVERED,
  // ListTrails shows the trails of all Regions; moto leaves out those of one Region.
  [`${TRAILS}::test_list_trails_different_home_region_no_multiregion`]: /^AssertionError: assert 3 == 0/,
  // A bucket's name has no underscore.
  [`${TRAILS}::test_update_trail_full`]: /InvalidS3BucketNameException.*: updated_bucket/,
  // A trail has selectors of one kind, each advanced one has an event category, and there is no field `f`.
  [`${SELECTORS}::test_put_event_selectors_advanced`]: /InvalidEventSelectorsException.*not both: a trail has selectors of one kind/,
  [`${SELECTORS}::test_get_event_selectors_multiple`]: /InvalidEventSelectorsException.*has no field eventCategory/,
  // A fresh trail logs management events, and GetEventSelectors shows the advanced selector that says so.
  [`${SELECTORS}::test_get_event_selectors_empty`]: /^KeyError: 'EventSelectors'$/,
  [`${SELECTORS}::test_put_insight_selectors[True]`]: NO_INSIGHTS,
  [`${SELECTORS}::test_put_insight_selectors[False]`]: NO_INSIGHTS,
  [`${SELECTORS}::test_get_insight_selectors`]: NO_INSIGHTS,
};

interface Outcome {
  readonly test: string;
  readonly failure: string | null;
}

const isRunnable = await canRun();

test.skipIf(!isRunnable)(
  "moto's tests of CloudTrail pass against the server, but for those listed, each refused as the service refuses",
  { timeout: 900_000 },
  async () => {
    const outcomes = await runMotoTests();
    const failures = new Map(outcomes.flatMap(({ test: name, failure }) => (failure === null ? [] : [[name, failure] as const])));
    const unlisted = [...failures].filter(([name]) => REFUSED[name] === undefined);
    expect(unlisted, 'those not listed pass').toEqual([]);
    for (const [name, refusal] of Object.entries(REFUSED)) expect(failures.get(name) ?? 'passed', name).toMatch(refusal);
    expect(outcomes.length - failures.size, 'what passes is not nothing').toBeGreaterThanOrEqual(22);
  },
);

async function runMotoTests(): Promise<readonly Outcome[]> {
  const folder = await mkdtemp(join(tmpdir(), 'snowtrail-moto-suite-'));
  try {
    const file = join(folder, 'outcomes.jsonl');
    const env = {
      PYTHONPATH: [resolve('test/support/moto-suite'), process.env['PYTHONPATH'] ?? ''].filter((path) => path !== '').join(':'),
      PYTHONDONTWRITEBYTECODE: '1',
      PYTEST_DISABLE_PLUGIN_AUTOLOAD: '1',
      TEST_SERVER_MODE: 'true',
      TEST_SERVER_MODE_ENDPOINT: `http://127.0.0.1:${await freePort()}`,
      MOTO_CALL_RESET_API: 'false',
      AWS_EC2_METADATA_DISABLED: 'true',
      SNOWTRAIL_START: JSON.stringify([process.execPath, SNOWTRAIL, 'start', '--no-auth', '--account-id', ACCOUNT]),
      SNOWTRAIL_OUTCOMES: file,
    };
    const words = ['-m', 'pytest', '-p', 'snowtrail_moto', '-p', 'no:cacheprovider', '--color=no', '--ignore', IN_PROCESS];
    const { code, stdout, stderr } = await run(PYTHON, [...words, 'tests/test_cloudtrail'], { env, cwd: FOLDER, timeoutMs: 840_000 });
    // 0: all passed; 1: some failed. All else means that they did not run.
    expect(code, stdout + stderr).toBeLessThanOrEqual(1);
    const lines = (await readFile(file, 'utf8')).trim().split('\n');
    return lines.map((line) => JSON.parse(line) as Outcome);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** @throws Error when something is missing and everything is required. */
async function canRun(): Promise<boolean> {
  const hasTests = existsSync(join(FOLDER, 'tests/test_cloudtrail'));
  const hasPytest = (await run(PYTHON, ['-c', 'import pytest, moto'])).code === 0;
  if (hasTests && hasPytest) return true;
  const reason = hasTests
    ? `\`${PYTHON}\` lacks pytest or moto; pip install pytest 'moto[server]==5.2.1'`
    : `moto's source is not at \`${FOLDER}\`: unpack its sdist there, or set SNOWTRAIL_MOTO_TESTS`;
  if (process.env['SNOWTRAIL_REQUIRE_ALL'] === '1') throw new Error(reason);
  console.warn(`skipped: ${reason}`);
  return false;
}
