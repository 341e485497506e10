/**
 * Finds the folder of real records and samples that some tests read.
 *
 * `SNOWTRAIL_TEST_DATA` names it, by default `../shared/data` beside the checkout. A user need not have it: tests that
 * do are skipped with the reason printed. `SNOWTRAIL_REQUIRE_ALL=1` (continuous integration) makes that a failure.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

/**
 * The folder, or `undefined` when it is not there.
 * @throws Error when it is not there and `SNOWTRAIL_REQUIRE_ALL` is `1`.
 */
export function testDataFolder(): string | undefined {
  const folder = resolve(process.env['SNOWTRAIL_TEST_DATA'] ?? '../shared/data');
  if (existsSync(folder)) return folder;
  const reason = `test data is missing: \`${folder}\` does not exist; set SNOWTRAIL_TEST_DATA`;
  if (process.env['SNOWTRAIL_REQUIRE_ALL'] === '1') throw new Error(reason);
  console.warn(`skipped: ${reason}`);
  return undefined;
}
