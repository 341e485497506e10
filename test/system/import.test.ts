/**
 * `snowtrail import` and `snowtrail record` with the small records that are in this repository: no other data needed.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { runCli } from '../support/run-cli.ts';
import { SNOWTRAIL, type StartedServer, startServer } from '../support/start-server.ts';

const ACCOUNT = '111122223333';

/** A record of the account, as a delivered file holds it. */
function record(id: number, eventTime: string, more: object = {}): string {
  return JSON.stringify({
    eventVersion: '1.08',
    userIdentity: { type: 'IAMUser', accountId: ACCOUNT, userName: 'alice' },
    eventTime,
    eventSource: 'ec2.amazonaws.com',
    eventName: 'RunInstances',
    awsRegion: 'us-east-1',
    sourceIPAddress: '203.0.113.7',
    requestParameters: null,
    responseElements: null,
    eventID: `00000000-0000-4000-8000-${String(id).padStart(12, '0')}`,
    readOnly: false,
    eventType: 'AwsApiCall',
    managementEvent: true,
    recipientAccountId: ACCOUNT,
    eventCategory: 'Management',
    ...more,
  });
}

describe('records come in by file', () => {
  let server: StartedServer;
  let folder: string;
  const yesterday = `${new Date(Date.now() - 86_400_000).toISOString().slice(0, 19)}Z`;
  const submit = async (command: 'record' | 'import', ...words: string[]) => {
    const result = await runCli([command, ...words, '--data-dir', server.dataDir, '-o', 'json']);
    return { ...result, report: JSON.parse(result.text || '{}') as Record<string, unknown> };
  };

  beforeAll(async () => {
    server = await startServer({ flags: ['--account-id', ACCOUNT] });
    folder = await mkdtemp(join(tmpdir(), 'snowtrail-import-'));
    const logs = join(folder, 'AWSLogs', ACCOUNT, 'CloudTrail/us-east-1/2026/01/31');
    const digests = join(folder, 'AWSLogs', ACCOUNT, 'CloudTrail-Digest/us-east-1/2026/01/31');
    await mkdir(logs, { recursive: true });
    await mkdir(digests, { recursive: true });
    const file = (name: string, ...records: string[]) =>
      writeFile(join(logs, `${ACCOUNT}_CloudTrail_us-east-1_${name}.json.gz`), gzipSync(`{"Records":[${records.join(',')}]}`));
    await file('20260131T0005Z_aaaaaaaaaaaaaaaa', record(1, yesterday), record(2, yesterday));
    // Two trails on one bucket: the same event in another file; and one whose id comes again with other bytes.
    await file(
      '20260131T0010Z_bbbbbbbbbbbbbbbb',
      record(2, yesterday),
      record(3, yesterday),
      record(3, yesterday, { errorCode: 'AccessDenied' }),
    );
    await writeFile(join(digests, 'digest.json.gz'), gzipSync('{"digestStartTime":"x"}'));
  });

  afterAll(async () => {
    await server?.stop();
    if (server) await rm(server.dataDir, { recursive: true, force: true });
    if (folder) await rm(folder, { recursive: true });
  });

  test('LK3 an import takes each event once, says what repeats, and passes digests over', async () => {
    const first = await submit('import', folder);
    expect(first.exitCode).toBe(0);
    expect(first.report).toMatchObject({ files: 2, passedOver: 1, accepted: 4, repeated: 1, conflicting: 1, rejected: 0 });
    const again = await submit('import', folder);
    expect(again.report).toMatchObject({ accepted: 0, repeated: 5, conflicting: 0 });
  });

  test('an import goes on from its resume file', async () => {
    const resume = join(folder, 'import.state');
    expect((await submit('import', folder, '--resume', resume)).report).toMatchObject({ skipped: 0 });
    expect((await submit('import', folder, '--resume', resume)).report).toMatchObject({ skipped: 2, repeated: 0 });
    const lines = (await readFile(resume, 'utf8')).trim().split('\n');
    expect(lines.map((line) => Object.keys(JSON.parse(line) as object)[0])).toEqual(['log', 'done', 'done']);
  });

  test('a malformed line never stops the rest and never disappears', async () => {
    const path = join(folder, 'lines.ndjson');
    await writeFile(
      path,
      [record(10, yesterday), '{"broken', record(11, yesterday), '[]', record(12, 'yesterday'), record(13, yesterday)].join('\n'),
    );
    const { exitCode, report } = await submit('record', path);
    expect(exitCode).toBe(4);
    expect(report).toMatchObject({ accepted: 3, rejected: 3 });
    const numbers = (report['rejections'] as { number: number }[]).map(({ number }) => number).sort();
    expect(numbers).toEqual([2, 4, 5]);
  });

  test('an import that was killed and run again until it is whole exits with 4 for a line that the first run refused', async () => {
    const many = join(folder, 'many');
    await mkdir(many);
    await writeFile(join(many, '000.ndjson'), `${record(1000, yesterday)}\nnonsense\n`);
    for (let file = 1; file < 40; file++) {
      const records = Array.from({ length: 500 }, (_, at) => record(1000 + file * 500 + at, yesterday));
      await writeFile(join(many, `${String(file).padStart(3, '0')}.ndjson`), records.join('\n'));
    }
    const resume = join(folder, 'many.state');
    const words = ['import', many, '--resume', resume, '--data-dir', server.dataDir, '-o', 'json'];
    const killed = spawn(process.execPath, [SNOWTRAIL, ...words], { stdio: 'ignore' });
    const ended = once(killed, 'exit');
    await vi.waitFor(async () => expect(await readFile(resume, 'utf8')).toContain('000.ndjson'), { timeout: 20_000, interval: 5 });
    killed.kill('SIGKILL');
    expect(await ended).toEqual([null, 'SIGKILL']);

    const rest = await submit('import', many, '--resume', resume);
    expect(rest.exitCode).toBe(4);
    expect(rest.stderr).toContain('refused: 1;');
    const rejections = [{ file: join(many, '000.ndjson'), number: 2, code: 'InvalidJson', reason: expect.any(String) as string }];
    expect(rest.report).toMatchObject({ rejected: 1, rejectedBefore: 1, rejections });
    const whole = await submit('import', many, '--resume', resume);
    expect(whole).toMatchObject({ exitCode: 4, report: { skipped: 40, accepted: 0, rejectedBefore: 1, rejections } });
    const shown = await runCli(['import', many, '--resume', resume, '--data-dir', server.dataDir, '-o', 'table']);
    expect(shown.exitCode).toBe(4);
    expect(shown.text).toMatch(/^rejected {3}1 \(1 in files done before\)\n {2}InvalidJson: 1\n {2}.*000\.ndjson:2: InvalidJson: /m);

    await writeFile(join(many, '000.ndjson'), `${record(1000, yesterday)}\n`);
    expect(await submit('import', many, '--resume', resume)).toMatchObject({ exitCode: 0, report: { skipped: 39, repeated: 1 } });
  });

  test('a record of an account that does not exist is rejected, and accepted with --create-accounts', async () => {
    const path = join(folder, 'foreign.ndjson');
    await writeFile(path, record(20, yesterday, { recipientAccountId: '444455556666' }));
    expect((await submit('record', path)).report).toMatchObject({ rejected: 1, reasons: { UnknownAccount: 1 } });
    expect((await submit('record', path, '--create-accounts')).report).toMatchObject({ accepted: 1 });
    const accounts = await readdir(join(server.dataDir, 'access-keys'));
    expect(accounts.sort()).toEqual([`${ACCOUNT}.json`, '444455556666.json']);
    // Sent again, it makes nothing and records nothing.
    expect((await submit('record', path, '--create-accounts')).report).toMatchObject({ repeated: 1 });
    await vi.waitFor(
      async () => {
        const { text } = await runCli(['events', 'name:CreateAccount', '-o', 'ndjson', '--data-dir', server.dataDir]);
        const calls = text
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse((JSON.parse(line) as { Record: string }).Record) as object);
        expect(calls).toMatchObject([
          { recipientAccountId: ACCOUNT, eventSource: 'snowtrail.amazonaws.com', requestParameters: { account: '444455556666' } },
        ]);
      },
      { timeout: 20_000, interval: 200 },
    );
  });

  test('RC1 after all of it the books add up', async () => {
    const { exitCode, text } = await runCli(['doctor', '--data-dir', server.dataDir, '-o', 'json']);
    expect(exitCode, text).toBe(0);
  });
});
