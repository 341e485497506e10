/**
 * Prints the bytes that events take in the sealed journal, in the log files of a trail and in the history index, as a ratio of one gzip.
 *
 * Run: `npm run build && node bench/run.mjs size [events, default 100000] [real]`.
 * Input: synthetic records, or with `real` those of `delivered-files-invictus` over and over, each with a new id; sent to the built server with a trail that flushes every 10 seconds, so that log files are large;
 * the server's files are measured when history and the trail have taken all and it is stopped. Log files with fewer than
 * 500 records are left out, on both sides. What the journal has not sealed yet is named beside.
 * Reference: one gzip, level 6, over all records as lines. Noise: none to speak of; sizes hardly depend on load.
 */
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createGzip, gunzipSync, gzipSync } from 'node:zlib';
import { RecordSource, realRecords, startMeasured, submitAll, whenCaughtUp } from './measured-server.ts';

const BATCH = 500;
const RECORDS_MIN = 500;
/** Each record has it once. */
const ID_MEMBER = '"eventID":';
const CATCH_UP_MS = 120_000;
const count = Math.ceil(Number(process.argv[2] ?? 100_000) / BATCH) * BATCH;

/** Length of one gzip over everything added. */
class GzipSize {
  #bytes = 0;
  readonly #gzip = createGzip({ level: 6 }).on('data', (chunk: Buffer) => {
    this.#bytes += chunk.length;
  });

  async add(bytes: Uint8Array): Promise<void> {
    if (!this.#gzip.write(bytes)) await new Promise((resolve) => this.#gzip.once('drain', resolve));
  }

  end(): Promise<number> {
    return new Promise((resolve) => this.#gzip.once('end', () => resolve(this.#bytes)).end());
  }
}

const records = process.argv[3] === 'real' ? new RecordSource(undefined, realRecords()) : new RecordSource();
const { client, server } = await startMeasured({ flushInterval: '10s' });
try {
  const reference = new GzipSize();
  let recordBytes = 0;
  for (let sent = 0; sent < count; sent += BATCH) {
    const document = records.document(BATCH);
    await submitAll(client, document);
    recordBytes += document.length;
    await reference.add(document);
  }
  await whenCaughtUp(client, ['history', 'trail'], CATCH_UP_MS);
  await server.stop();
  const oneGzip = (await reference.end()) / recordBytes;
  const journal = filesBelow(join(server.dataDir, 'journal'));
  const unsealed = journal.filter(({ path }) => path.endsWith('.log'));
  const sealed = sum(journal) - sum(unsealed);
  const unsealedBytes = sum(unsealed);
  const logFiles = measureLogFiles(join(server.dataDir, 'objects'));
  const history = sum(filesBelow(join(server.dataDir, 'history')));
  const sealedShare = sealed / (Math.max(1, recordBytes - unsealedBytes) * oneGzip);
  console.log(
    `size of the sealed journal: ${sealedShare.toFixed(2)} of one gzip (${sealed} bytes; ${unsealedBytes} bytes not sealed yet, left out on both sides)`,
  );
  console.log(
    `size of log files: ${(logFiles.bytes / logFiles.referenceBytes).toFixed(2)} of one gzip (${logFiles.files} files of ${RECORDS_MIN} records or more, ${logFiles.bytes} bytes)`,
  );
  console.log(
    `size of the history index: ${(history / (recordBytes * oneGzip)).toFixed(2)} of one gzip (${history} bytes, ${(history / count).toFixed(1)} bytes an event; ${count} events of ${Math.round(records.meanBytes)} bytes)`,
  );
} finally {
  await server.stop();
  rmSync(server.dataDir, { recursive: true, force: true });
}

/** Log files large enough, and one gzip of what they hold. */
function measureLogFiles(folder: string): { readonly files: number; readonly bytes: number; readonly referenceBytes: number } {
  const contents: Buffer[] = [];
  let bytes = 0;
  for (const { path, sizeBytes } of filesBelow(folder)) {
    const body = readFileSync(path);
    if (body[0] !== 0x1f || body[1] !== 0x8b) continue;
    const content = gunzipSync(body);
    if (!content.subarray(0, 20).includes('"Records"') || content.toString().split(ID_MEMBER).length - 1 < RECORDS_MIN) continue;
    contents.push(content);
    bytes += sizeBytes;
  }
  if (contents.length === 0) throw new Error(`no log file has ${RECORDS_MIN} records or more`);
  return { files: contents.length, bytes, referenceBytes: gzipSync(Buffer.concat(contents), { level: 6 }).length };
}

function filesBelow(folder: string): { readonly path: string; readonly sizeBytes: number }[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path, sizeBytes: statSync(path).size }));
}

function sum(files: readonly { readonly sizeBytes: number }[]): number {
  return files.reduce((total, { sizeBytes }) => total + sizeBytes, 0);
}
