/**
 * The verifier as a program of its own: bundled from its folder alone, run on a copied folder, without server and network.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { VerifyReport } from '../../src/verify/report.ts';
import { buildEvidence, type EvidenceBuilder } from '../support/evidence-builder.ts';

let folder: string;
let builder: EvidenceBuilder;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'snowtrail-alone-'));
  const common = { bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'error' } as const;
  await build({ ...common, entryPoints: ['src/verify/main.ts'], outfile: join(folder, 'verify.mjs') });
  await build({ ...common, entryPoints: ['src/verify/inspect-file.worker.ts'], outfile: join(folder, 'inspect-file.worker.js') });
  // Without it Node would take the worker for CommonJS; the package says the same of `dist`.
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  builder = await buildEvidence({ digests: 20, logsEach: 5 });
  await builder.bucket.writeTo(join(folder, 'copy'));
  await writeFile(join(folder, 'keys'), `${builder.installation.verifierKey}\n`);
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

function run(...args: string[]): { exit: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['verify.mjs', ...args], { cwd: folder, encoding: 'utf8' });
  return { exit: status, out: stdout, err: stderr };
}

describe('node verify.js', () => {
  test('says 0 for clean evidence, as JSON and as text, with a state file from the second run on', () => {
    const json = run('copy', '--public-key', 'keys', '--state', 'state.json', '--json');
    expect(json.err).toBe('');
    const report = JSON.parse(json.out) as VerifyReport;
    expect({ exit: json.exit, verdict: report.verdict, files: report.files.length }).toEqual({
      exit: 0,
      verdict: 'consistent',
      files: builder.bucket.objects.size,
    });
    const text = run('copy', '--state', 'state.json', '--verbose');
    expect(text.exit).toBe(0);
    expect(text.out).toContain('20/20 digest files valid\n100/100 log files valid\n');
    expect(text.out).toContain('Trusted: a key that the state file knows');
    expect(text.out.split('\n').filter((line) => line.startsWith('Log file\t') && line.endsWith('\tvalid'))).toHaveLength(100);
  });

  test('says 1 and names the files when some are gone', async () => {
    const bad = builder.bucket.copy();
    const [log] = bad.keys('/CloudTrail/');
    bad.objects.delete(log!);
    await bad.writeTo(join(folder, 'bad'));
    const { exit, out } = run('bad', '--public-key', 'keys');
    expect(exit).toBe(1);
    expect(out).toContain(`Log file\t${log}\tMISSING: it is not there, though a receipt names it\n`);
    expect(out).toContain('TAMPERED (exit 1)');
  });

  test('says 2 and names a receipt that cannot be read, and 1 when a file elsewhere is changed as well', async () => {
    const unread = builder.bucket.copy();
    const receipt = builder.receiptKey(8);
    unread.objects.delete(receipt);
    await unread.writeTo(join(folder, 'unread'));
    // A pipe is there, and nobody can read it.
    expect(spawnSync('mkfifo', [join(folder, 'unread', receipt)]).status).toBe(0);
    const { exit, out } = run('unread', '--public-key', 'keys');
    expect(out).toContain(`Receipt\t${receipt}\tUNREADABLE: it cannot be read: it is not a plain file\n`);
    expect([exit, out]).toEqual([2, expect.stringContaining('INCOMPLETE (exit 2)')]);
    await writeFile(join(folder, 'unread', unread.keys('/CloudTrail/').at(-1)!), 'changed');
    expect(run('unread', '--public-key', 'keys').exit).toBe(1);
  });

  test('says 2 without a key, for a folder that holds nothing, and for one that is not there', () => {
    expect(run('copy').exit).toBe(2);
    expect(run('.', '--trail', 'none').exit).toBe(2);
    expect(run('not-there')).toMatchObject({ exit: 2, err: expect.stringContaining('not-there') });
  });

  test('says 2 when the state file cannot be written', () => {
    const { exit, err } = run('copy', '--public-key', 'keys', '--state', 'not-there/state.json');
    expect([exit, err]).toEqual([2, expect.stringContaining('not-there')]);
  });

  test('says 64 for what it does not understand', () => {
    expect(
      [run(), run('a', 'b'), run('copy', '--unknown'), run('copy', '--from', 'noon'), run('copy', '--public-key', 'state.json')].map(
        ({ exit }) => exit,
      ),
    ).toEqual([64, 64, 64, 64, 64]);
    expect(run('--help')).toMatchObject({ exit: 0, out: expect.stringContaining('Usage:') });
  });
});

test('the verifier imports nothing of ours but the engines, and no package at all', () => {
  const files = readdirSync('src/verify').filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  const imports = files.flatMap((name) =>
    [...readFileSync(join('src/verify', name), 'utf8').matchAll(/from '([^']+)'/g)].map((match) => match[1]!),
  );
  const others = imports.filter((from) => !/^(node:|\.\/|\.\.\/(tlog|digest|logfile|event|api)\/)/.test(from));
  expect(others).toEqual([]);
});
