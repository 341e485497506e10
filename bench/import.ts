/**
 * Prints how fast log files are imported into history, as a ratio of gunzip and `JSON.parse` of the same files in one process,
 * and of DuckDB reading them into Parquet.
 *
 * Run: `npm run build && node bench/run.mjs import [records, default 100000]`. The DuckDB figure needs a Python that has the
 * `duckdb` package: `python3`, or the one that `SNOWTRAIL_DUCKDB_PYTHON` names; without it, it is left out, and why is printed.
 * Input: synthetic records in `.json.gz` files of 5,000, read and sent by the command line's own code to the built server
 * without a trail; the time ends when history has taken all. No lake takes part, while DuckDB writes what a lake would hold.
 * Noise: one run of ours, the reference before and after it; both are printed.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { submitFiles } from '../src/cli/submit-files.ts';
import { loadText, quantile, RecordSource, startMeasured, whenCaughtUp } from './measured-server.ts';

const FILE_RECORDS = 5_000;
const CATCH_UP_MS = 120_000;
const count = Math.ceil(Number(process.argv[2] ?? 100_000) / FILE_RECORDS) * FILE_RECORDS;

const folder = mkdtempSync(join(tmpdir(), 'snowtrail-bench-import-'));
const { client, end } = await startMeasured();
try {
  const records = new RecordSource();
  for (let made = 0; made < count; made += FILE_RECORDS) {
    const name = `${String(made).padStart(9, '0')}.json.gz`;
    writeFileSync(join(folder, name), gzipSync(records.document(FILE_RECORDS)));
  }
  const before = rateOfReading();
  const from = performance.now();
  const report = await submitFiles(client, [folder], {
    source: 'import',
    createAccounts: false,
    isQuiet: true,
    signal: new AbortController().signal,
  });
  const acceptedMs = performance.now() - from;
  await whenCaughtUp(client, ['history'], CATCH_UP_MS);
  const rate = count / ((performance.now() - from) / 1_000);
  if (report.accepted !== count) throw new Error(`expected ${count} records to be accepted, got ${JSON.stringify(report)}`);
  const readings = [before, rateOfReading()];
  const reading = quantile(readings, 0);
  console.log(
    `import: ${(rate / reading).toFixed(3)} of gunzip and JSON.parse (${Math.round(rate)} against ${readings.map(Math.round).join(' and ')} events/s; accepted after ${(acceptedMs / 1_000).toFixed(1)} s; ` +
      `${count} records of ${Math.round(records.meanBytes)} bytes in files of ${FILE_RECORDS}, ${loadText()})`,
  );
  console.log(besideDuckDb(rate));
} finally {
  await end();
  rmSync(folder, { recursive: true, force: true });
}

function rateOfReading(): number {
  const from = performance.now();
  for (const name of readdirSync(folder)) JSON.parse(gunzipSync(readFileSync(join(folder, name))).toString());
  return count / ((performance.now() - from) / 1_000);
}

/** One line: our rate beside DuckDB's, or why there is none. */
function besideDuckDb(rate: number): string {
  const python = process.env['SNOWTRAIL_DUCKDB_PYTHON'] ?? 'python3';
  if (spawnSync(python, ['-c', 'import duckdb']).status !== 0)
    return `import beside DuckDB: left out, \`${python}\` has no \`duckdb\` package; install it, or name another with SNOWTRAIL_DUCKDB_PYTHON`;
  const words = [join('bench', 'duckdb-import.py'), join(folder, '*.json.gz'), join(folder, 'rows.parquet')];
  const rounds = [1, 2, 3].map(() => {
    const { stdout, stderr } = spawnSync(python, words, { encoding: 'utf8' });
    const [rows, seconds, version] = stdout.trim().split(' ');
    if (Number(rows) !== count) throw new Error(`expected DuckDB to write ${count} rows, got \`${stdout}\` ${stderr}`);
    return { rate: count / Number(seconds), version };
  });
  const rates = rounds.map((round) => round.rate);
  return `import beside DuckDB ${rounds[0]!.version}: ${(rate / quantile(rates, 0.5)).toFixed(3)} of \`read_json\` to Parquet (${Math.round(rate)} against ${rates.map(Math.round).join(', ')} events/s, ${loadText()})`;
}
