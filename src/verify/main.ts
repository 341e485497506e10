/**
 * The verifier as a program of its own, for folders: `node dist/verify.js PATH --public-key FILE [--state FILE] [--json]`.
 *
 * It knows nothing of the server and needs nothing of it. `snowtrail verify` does the same and more (buckets, servers).
 * Exit codes: 0 complete and consistent, 1 tampered, 2 incomplete or nothing to hold it against, 64 usage.
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { folderSource } from './folder-source.ts';
import { formatReport } from './format-report.ts';
import { type PinnedKeys, parsePinnedKeys } from './trust.ts';
import { type VerifyOptions, verify } from './verify.ts';

const USAGE = `Usage: node verify.js PATH [options]

Verifies a folder that holds AWSLogs/… as Snowtrail delivered it, without any server.

  --public-key FILE   keys to trust: C2SP lines, PEM, or the JSON of list-public-keys (may be repeated)
  --state FILE        what the last run knew; written after a verdict of 0
  --trail NAME|ARN    only this trail (may be repeated)
  --region REGION     only this Region (may be repeated)
  --from, --to TIME   only this time (ISO 8601)
  --jobs N            reads at once
  --json              the report as JSON
  --verbose           name valid files, too

Exit: 0 complete and consistent, 1 tampered, 2 incomplete or nothing to hold it against, 64 usage.
`;

/** What was asked for makes no sense. */
class UsageError extends Error {
  override readonly name = 'UsageError';
}

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(args);
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const [path] = positionals;
  if (path === undefined || positionals.length > 1) throw new UsageError('expected one PATH');
  const pinnedKeys = await readKeys(values['public-key'] ?? []);
  const options: Omit<VerifyOptions, 'source'> = {
    pinnedKeys,
    ...(values.state !== undefined && { statePath: values.state }),
    ...(values.trail !== undefined && { trails: values.trail }),
    ...(values.region !== undefined && { regions: values.region }),
    ...(values.from !== undefined && { from: readTime(values.from) }),
    ...(values.to !== undefined && { to: readTime(values.to) }),
    ...(values.jobs !== undefined && { jobs: readJobs(values.jobs) }),
  };
  const report = await verify({ ...options, source: await folderSource(path) });
  process.stdout.write(
    values.json ? `${JSON.stringify(report, undefined, 2)}\n` : formatReport(report, { isVerbose: values.verbose ?? false }),
  );
  return report.exitCode;
}

function readArguments(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        'public-key': { type: 'string', multiple: true },
        state: { type: 'string' },
        trail: { type: 'string', multiple: true },
        region: { type: 'string', multiple: true },
        from: { type: 'string' },
        to: { type: 'string' },
        jobs: { type: 'string' },
        json: { type: 'boolean' },
        verbose: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (cause) {
    throw new UsageError((cause as Error).message, { cause });
  }
}

async function readKeys(paths: readonly string[]): Promise<PinnedKeys> {
  const files = await Promise.all(
    paths.map(async (path) => {
      try {
        return parsePinnedKeys(await readFile(path, 'utf8'));
      } catch (cause) {
        throw new UsageError(`\`${path}\`: ${(cause as Error).message}`, { cause });
      }
    }),
  );
  return { checkpoint: files.flatMap(({ checkpoint }) => checkpoint), digest: files.flatMap(({ digest }) => digest) };
}

function readTime(text: string): Date {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) throw new UsageError(`\`${text}\` is not a time such as 2026-01-02T03:04:05Z`);
  return time;
}

function readJobs(text: string): number {
  if (!/^[1-9][0-9]{0,3}$/.test(text)) throw new UsageError(`--jobs is \`${text}\`; expected 1 to 9999`);
  return Number(text);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof UsageError) {
    process.stderr.write(`${error.message}\n\n${USAGE}`);
    process.exitCode = 64;
  } else {
    // No failure is a verdict of tampering (P13).
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 2;
  }
}
