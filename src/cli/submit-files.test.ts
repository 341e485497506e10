import { appendFile, mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ADMINISTRATOR, callOf, IntakeRig, OWNER, recordText, STRANGER } from '../../test/support/intake-rig.ts';
import { RECORD_BYTES_MAX } from '../event/limits.ts';
import type { AccountId } from '../event/types.ts';
import { acceptBulk, bulkOptions } from '../intake/bulk-events.ts';
import { Client } from './client.ts';
import { type SubmitOptions, type SubmitReport, submitFiles } from './submit-files.ts';

let folder: string;
let rig: IntakeRig;
let server: Server;
let client: Client;
/** Answers that the server gives before it works: a status each. */
let refusals: number[];
/** Requests that came in so far. */
let requests: number;

let caller: AccountId;

/** The bulk endpoint over memory stores; whoever asks is `caller`, `OWNER` at first. */
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'snowtrail-submit-'));
  rig = await IntakeRig.open();
  refusals = [];
  caller = OWNER;
  requests = 0;
  server = createServer((request, response) => {
    requests++;
    const answer = async () => {
      const status = refusals.shift();
      if (status !== undefined) return response.writeHead(status).end();
      const query = new Map(new URL(request.url!, 'http://localhost').searchParams);
      for await (const lines of acceptBulk(rig.stores, callOf(caller), request, bulkOptions(query, callOf(caller)))) response.write(lines);
      return response.end();
    };
    answer().catch((error: Error) => response.destroy(error));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  client = new Client({ url, region: 'eu-central-1', accessKeyId: 'AKIATEST', secretAccessKey: 'secret' });
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true });
});

async function put(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

function submit(paths: readonly string[], more: Partial<SubmitOptions> = {}) {
  const signal = new AbortController().signal;
  return submitFiles(client, paths, { source: 'import', createAccounts: false, isQuiet: true, signal, ...more });
}

const documentOf = (...ids: string[]) => `{"Records":[${ids.map((id) => recordText(id)).join(',')}]}`;

async function idsInJournal(): Promise<string[]> {
  return (await rig.journal.read(0n, 100)).filter(({ kind }) => kind === 'event').map(({ id }) => id);
}

describe('submitFiles', () => {
  test('all files of a folder are sent, and sending them again repeats all', async () => {
    await put('a.json', documentOf('one', 'two'));
    await put('b.json.gz', gzipSync(documentOf('three')));
    expect(await submit([folder])).toMatchObject({ files: 2, accepted: 3, repeated: 0, rejected: 0, failedFiles: [] });
    expect(await submit([folder])).toMatchObject({ files: 2, accepted: 0, repeated: 3 });
    expect(await idsInJournal()).toEqual(['one', 'two', 'three']);
  });

  test('a file with events that another key or --create-accounts would let in is not done; one with broken records is', async () => {
    const mixed = await put('mixed.ndjson', `${recordText('one')}\n${recordText('two', { recipientAccountId: STRANGER })}\n`);
    const broken = await put('broken.ndjson', `${recordText('three')}\nnonsense\n`);
    const resume = join(folder, 'resume');
    const run = (more: Partial<SubmitOptions> = {}) => submit([mixed, broken], { resume, ...more });
    expect(await run()).toMatchObject({ skipped: 0, accepted: 2, reasons: { AccessDenied: 1, InvalidJson: 1 } });
    caller = ADMINISTRATOR;
    expect(await run()).toMatchObject({ skipped: 1, reasons: { UnknownAccount: 1, InvalidJson: 1 } });
    expect(await run({ createAccounts: true })).toMatchObject({ skipped: 1, reasons: { InvalidJson: 1 } });
    expect(await run({ createAccounts: true })).toMatchObject({ skipped: 2, reasons: { InvalidJson: 1 } });
    expect(await idsInJournal()).toEqual(expect.arrayContaining(['one', 'two', 'three']));
  });

  test('a malformed line never stops the rest and never disappears', async () => {
    const path = await put('lines.ndjson', `${recordText('one')}\n{"eventID":\n}\nnonsense\n${recordText('two')}\n`);
    const report = await submit([path]);
    expect(report).toMatchObject({ accepted: 2, rejected: 3, reasons: { InvalidJson: 3 } });
    expect(report.rejections.map(({ file, number }) => [file, number])).toEqual([2, 3, 4].map((number) => [path, number]));
  });

  test('nor do lines that are half a record stop records of several lines in other files', async () => {
    await put('a.ndjson', `{"eventID":\n${recordText('one')}\n]}\n`);
    await put('b.json', `{"Records": [\n${recordText('two').replace('{', '{\n')}\n]}`);
    await put('c.ndjson', `${recordText('three')}\n{{{\n`);
    expect(await submit([folder])).toMatchObject({ accepted: 3, rejected: 3, reasons: { InvalidJson: 3 } });
    expect(await idsInJournal()).toEqual(expect.arrayContaining(['one', 'two', 'three']));
  });

  test('nor does a line that looks like the beginning of a document, where a request begins with it', async () => {
    const path = await put('lines.ndjson', `${'nonsense\n'.repeat(1_000)}{"Records":[\n${recordText('one')}\n${recordText('two')}\n`);
    expect(await submit([path])).toMatchObject({ accepted: 2, rejected: 1_001 });
  });

  test('each of more than a hundred refused lines is named', async () => {
    const path = await put('lines.ndjson', `${'nonsense\n'.repeat(250)}${recordText('one')}\n`);
    const report = await submit([path]);
    expect(report).toMatchObject({ accepted: 1, rejected: 250 });
    expect(report.rejections.map(({ number }) => number)).toEqual(Array.from({ length: 250 }, (_, at) => at + 1));
  });

  test('who waits for a server that says "not now" is told why, once', async () => {
    const path = await put('one.ndjson', `${recordText('one')}\n`);
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    refusals = [503, 503];
    expect(await submit([path], { isQuiet: false })).toMatchObject({ accepted: 1 });
    const texts = said.mock.calls.map(([text]) => text);
    said.mockRestore();
    expect(texts).toEqual([expect.stringMatching(/^HTTP 503: .*; trying again for up to 2 minutes, Ctrl-C ends\n$/)]);
  });

  test('who interrupts while the server takes nothing need not wait for it, and the file is not done', async () => {
    const [path, resume] = [await put('one.ndjson', `${recordText('one')}\n`), join(folder, 'resume')];
    const interrupted = new AbortController();
    refusals = Array.from({ length: 50 }, () => 503);
    const run = submit([path], { resume, signal: interrupted.signal });
    await vi.waitFor(() => expect(requests).toBeGreaterThan(3));
    interrupted.abort();
    expect(await run).toMatchObject({ accepted: 0, isInterrupted: true });
    refusals = [];
    expect(await submit([path], { resume })).toMatchObject({ accepted: 1, skipped: 0 });
  });

  test('broken gzip is reported, what came before it is sent, and the other files go on', async () => {
    const packed = gzipSync(`${recordText('one')}\n`, { level: 0 });
    const broken = await put('a.json.gz', packed.subarray(0, packed.length - 8));
    await put('b.json', documentOf('two'));
    const report = await submit([folder]);
    expect(report).toMatchObject({ files: 2, accepted: 2, failedFiles: [{ file: broken, reason: expect.any(String) }] });
    expect(await idsInJournal()).toEqual(['one', 'two']);
  });

  test('a run goes on from its resume file: what is done is skipped', async () => {
    const resume = join(folder, 'resume.txt');
    const first = await put('a.json', documentOf('one'));
    expect(await submit([first], { resume })).toMatchObject({ accepted: 1, skipped: 0 });
    const second = await put('b.json', documentOf('two'));
    expect(await submit([first, second], { resume })).toMatchObject({ accepted: 1, repeated: 0, skipped: 1 });
  });

  describe('what was refused in files that are done', () => {
    const refusedAt = (report: SubmitReport) => report.rejections.map(({ file, number }) => [file, number]);

    test('is told again by every later run, with where and why', async () => {
      const resume = join(folder, 'resume.txt');
      const path = await put('a.ndjson', `${recordText('one')}\nnonsense\n${recordText('two', { eventTime: 'yesterday' })}\n`);
      const first = await submit([path], { resume });
      expect(first).toMatchObject({ accepted: 1, rejected: 2, rejectedBefore: 0 });
      const again = await submit([path], { resume });
      expect(again).toMatchObject({ skipped: 1, accepted: 0, rejected: 2, rejectedBefore: 2 });
      expect(again.reasons).toEqual(first.reasons);
      expect(again.rejections).toEqual(first.rejections);
    });

    test('stands beside what a run refuses itself after it was interrupted', async () => {
      const resume = join(folder, 'resume.txt');
      // Too long to be sent at all, so it is refused before the server answers.
      const first = await put('a.ndjson', `${' '.repeat(RECORD_BYTES_MAX)}x\n`);
      const second = await put('b.ndjson', `${recordText('one')}\nnonsense\n`);
      const interrupted = new AbortController();
      refusals = Array.from({ length: 50 }, () => 503);
      const run = submit([first, second], { resume, signal: interrupted.signal });
      await vi.waitFor(() => expect(requests).toBeGreaterThan(0));
      interrupted.abort();
      expect(await run).toMatchObject({ accepted: 0, rejected: 1, isInterrupted: true });
      refusals = [];
      const rest = await submit([first, second], { resume });
      expect(rest).toMatchObject({ skipped: 1, accepted: 1, rejected: 2, rejectedBefore: 1 });
      expect(refusedAt(rest).sort()).toEqual([
        [first, 1],
        [second, 2],
      ]);
    });

    test('is told also by a run that is interrupted before it does anything', async () => {
      const resume = join(folder, 'resume.txt');
      const path = await put('a.ndjson', 'nonsense\n');
      await submit([path], { resume });
      expect(await submit([path], { resume, signal: AbortSignal.abort() })).toMatchObject({ rejected: 1, rejectedBefore: 1 });
    });

    test('is forgotten when the file was corrected, which is sent again though it is as long as before', async () => {
      const resume = join(folder, 'resume.txt');
      const right = `${recordText('one')}\n${recordText('two')}\n`;
      const path = await put('a.ndjson', right.replace('{', '['));
      await utimes(path, 1, 1);
      expect(await submit([path], { resume })).toMatchObject({ accepted: 1, rejected: 1 });
      await put('a.ndjson', right);
      expect(await submit([path], { resume })).toMatchObject({ skipped: 0, accepted: 1, repeated: 1, rejected: 0 });
      expect(await submit([path], { resume })).toMatchObject({ skipped: 1, rejected: 0 });
    });

    test('takes little room: all is counted, and the first reasons of a file are kept', async () => {
      const resume = join(folder, 'resume.txt');
      const path = await put('a.ndjson', 'nonsense\n'.repeat(5_000));
      await submit([path], { resume });
      expect((await stat(resume)).size).toBeLessThan(5_000);
      const again = await submit([path], { resume });
      expect(again).toMatchObject({ rejected: 5_000, reasons: { InvalidJson: 5_000 } });
      expect(refusedAt(again)).toEqual(Array.from({ length: 20 }, (_, at) => [path, at + 1]));
    });
  });

  test('a file that could not be read to its end is not done, and is tried again', async () => {
    const resume = join(folder, 'resume.txt');
    const whole = gzipSync(`${recordText('one')}\n${recordText('two')}\n`);
    const changed = Uint8Array.from(whole);
    changed[changed.length - 8]! ^= 0xff;
    const path = await put('a.json.gz', changed);
    expect((await submit([path], { resume })).failedFiles).toHaveLength(1);
    // As long as before: only its bytes are other ones.
    await put('a.json.gz', whole);
    expect(await submit([path], { resume })).toMatchObject({ skipped: 0, failedFiles: [] });
    expect(await idsInJournal()).toEqual(['one', 'two']);
  });

  test('small files share a request, and each is done when its own records are answered', async () => {
    const resume = join(folder, 'resume.txt');
    const names = Array.from({ length: 30 }, (_, index) => `${index + 10}.json`);
    const paths = await Promise.all(names.map((name) => put(name, documentOf(name))));
    refusals = [403];
    await expect(submit(paths, { resume })).rejects.toMatchObject({ exitCode: 6 });
    await expect(readFile(resume)).rejects.toThrow('ENOENT');
    requests = 0;
    expect(await submit(paths, { resume })).toMatchObject({ files: 30, accepted: 30, skipped: 0 });
    expect(requests).toBe(1);
    expect(await submit(paths, { resume })).toMatchObject({ skipped: 30, accepted: 0 });
    expect(await idsInJournal()).toEqual(names);
  });

  test('a resume file knows a file by its place, however that is written', async () => {
    const resume = join(folder, 'resume.txt');
    const path = await put('some.ndjson', `${recordText('one')}\nnonsense\n`);
    const written = `${folder}/../${basename(folder)}/./some.ndjson`;
    await submit([path], { resume });
    expect(await submit([written], { resume })).toMatchObject({ skipped: 1, rejected: 1 });
    await writeFile(path, `${recordText('one')}\n${recordText('two')}\n`);
    expect(await submit([written], { resume })).toMatchObject({ skipped: 0, accepted: 1, rejected: 0 });
  });

  test('a resume file of another server is refused, and stays as it is: what that one took is not here', async () => {
    const resume = join(folder, 'resume.txt');
    const path = await put('some.ndjson', `${recordText('one')}\n`);
    await submit([path], { resume, log: 'snowtrail/one' });
    expect(await submit([path], { resume, log: 'snowtrail/one' })).toMatchObject({ skipped: 1 });
    const before = await readFile(resume, 'utf8');
    await expect(submit([path], { resume, log: 'snowtrail/two' })).rejects.toThrow(/sent to another server .* give a new file/);
    expect(await readFile(resume, 'utf8')).toBe(before);
  });

  test('half a line in the resume file costs only itself', async () => {
    const resume = join(folder, 'resume.txt');
    const [first, second] = [await put('a.json', documentOf('one')), await put('b.json', documentOf('two'))];
    await submit([first], { resume });
    await appendFile(resume, '{"done":"/half/a');
    expect(await submit([first, second], { resume })).toMatchObject({ skipped: 1, accepted: 1 });
    expect(await submit([first, second], { resume })).toMatchObject({ skipped: 2 });
  });

  test('a resume file that is something else is refused, and stays as it is', async () => {
    const events = await put('events.ndjson', `${recordText('one')}\n`);
    await expect(submit([events], { resume: events })).rejects.toThrow(/holds something else than what an earlier run remembered/);
    await expect(submit([events], { resume: folder })).rejects.toThrow(/cannot be read: EISDIR/);
    expect(await readFile(events, 'utf8')).toBe(`${recordText('one')}\n`);
    expect(await idsInJournal()).toEqual([]);
  });

  test('what cannot be looked into is told, and the rest is sent', async () => {
    const path = await put('a.json', documentOf('one'));
    const unreadable = join(folder, 'n'.repeat(300));
    const report = await submit([unreadable, path]);
    expect(report).toMatchObject({ accepted: 1, failedFiles: [{ file: unreadable, reason: expect.stringContaining('ENAMETOOLONG') }] });
  });

  test('a run that is stopped before it begins sends nothing and remembers nothing', async () => {
    const resume = join(folder, 'resume.txt');
    const path = await put('a.json', documentOf('one'));
    expect(await submit([path], { resume, signal: AbortSignal.abort() })).toMatchObject({ accepted: 0, isInterrupted: true });
    await expect(readFile(resume)).rejects.toThrow('ENOENT');
  });

  test('a server that says "not now" is asked again, and one that refuses ends the run', async () => {
    const path = await put('a.json', documentOf('one'));
    refusals = [503];
    expect(await submit([path])).toMatchObject({ accepted: 1 });
    refusals = [403];
    await expect(submit([path])).rejects.toMatchObject({ exitCode: 6 });
  });

  test('times are moved so that the newest is at the given one, and by the same amount when a run goes on', async () => {
    const resume = join(folder, 'resume.txt');
    const timed = (id: string, eventTime: string) => recordText(id, { eventTime });
    const first = await put('a.ndjson', `${timed('one', '2026-01-01T00:00:00Z')}\n${timed('two', '2026-01-01T01:00:00Z')}\n`);
    await submit([first], { resume, shiftToMs: Date.UTC(2026, 5, 1) });
    const second = await put('b.ndjson', timed('three', '2026-01-01T00:30:00Z'));
    await submit([first, second], { resume, shiftToMs: Date.UTC(2027, 0, 1) });
    const times = (await rig.journal.read(0n, 10))
      .filter(({ kind }) => kind === 'event')
      .map(({ bytes }) => (JSON.parse(new TextDecoder().decode(bytes)) as { eventTime: string }).eventTime);
    expect(times).toEqual(['2026-05-31T23:00:00Z', '2026-06-01T00:00:00Z', '2026-05-31T23:30:00Z']);
  });
});
