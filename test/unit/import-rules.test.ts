/**
 * Holds the import directions of `.dependency-cruiser.cjs` to what they promise, by breaking each of them once.
 *
 * A rule that no longer matches anything passes for ever, so each rule is seen to refuse one planted import, in a small tree of
 * its own that is laid out as `src/` is.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const RULES = resolve('.dependency-cruiser.cjs');
const CRUISER = resolve('node_modules/dependency-cruiser/bin/dependency-cruise.mjs');

/** One import for each rule, which that rule refuses: the folder whose file imports, and what it imports. */
const PLANTED: Readonly<Record<string, readonly [folder: string, specifier: string]>> = {
  'no-cycle': ['src/trail', './no-cycle.ts'],
  'no-unresolvable': ['src/trail', './nowhere.ts'],
  'engines-are-pure': ['src/digest', 'node:crypto'],
  'engines-import-engines-only': ['src/policy', '../store/objects.ts'],
  'event-and-api-are-the-bottom': ['src/api', '../tlog/tree.ts'],
  'event-stands-alone': ['src/event', '../api/errors.ts'],
  'store-imports-engines-only': ['src/store', '../trail/deliver.ts'],
  'interfaces-know-no-implementation': ['src/store', './disk/journal.ts'],
  'only-the-server-knows-implementations': ['src/trail', '../store/disk/journal.ts'],
  'features-do-not-meet': ['src/trail', '../history/find.ts'],
  'features-use-engines-and-interfaces': ['src/trail', '../http/serve.ts'],
  'http-translates': ['src/http', '../trail/deliver.ts'],
  'verify-is-offline': ['src/verify', '../store/objects.ts'],
  'cli-talks-over-http': ['src/cli', '../http/serve.ts'],
  'only-the-command-line-opens-the-server': ['src/http', '../server/start.ts'],
  'no-test-code-in-the-product': ['src/trail', '../../test/support/rig.ts'],
  'no-dev-dependency-in-the-product': ['src/trail', 'a-dev-package'],
  'no-undeclared-package': ['src/trail', 'a-stray-package'],
};

/** Imports that look like the planted ones and are wanted. */
const WANTED: readonly (readonly [from: string, specifier: string])[] = [
  ['src/server/start.ts', '../trail/deliver.ts'],
  ['src/server/start.ts', '../store/disk/journal.ts'],
  ['src/server/start.ts', '../http/serve.ts'],
  ['src/trail/deliver.ts', '../store/objects.ts'],
  ['src/trail/deliver.ts', '../digest/encode.ts'],
  ['src/trail/deliver.ts', './name.ts'],
  ['src/trail/deliver.ts', 'a-package'],
  ['src/trail/deliver.test.ts', '../store/memory/journal.ts'],
  ['src/store/disk/journal.ts', '../journal.ts'],
  ['src/store/disk/journal.ts', 'node:fs'],
  ['src/store/memory/journal.ts', '../disk/journal.ts'],
  ['src/digest/encode.ts', '../event/types.ts'],
  ['src/verify/verify.ts', '../tlog/tree.ts'],
  ['src/cli/start.ts', '../server/start.ts'],
  ['src/cli/events.ts', '../http/sign-request.ts'],
  ['src/cli/verify.ts', '../verify/verify.ts'],
];

interface Violation {
  readonly rule: { readonly name: string };
  readonly from: string;
  readonly to: string;
}

let root: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'snowtrail-imports-'));
  write('package.json', JSON.stringify({ type: 'module', dependencies: { 'a-package': '1' }, devDependencies: { 'a-dev-package': '1' } }));
  write('tsconfig.json', JSON.stringify({ compilerOptions: { module: 'NodeNext', allowImportingTsExtensions: true, noEmit: true } }));
  for (const name of ['a-package', 'a-dev-package', 'a-stray-package']) {
    write(`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', main: 'index.js' }));
    write(`node_modules/${name}/index.js`, '');
  }
  for (const [from, specifier] of WANTED) {
    if (specifier.startsWith('.')) write(join(dirname(from), specifier), 'export {};\n');
  }
  write('test/support/rig.ts', 'export {};\n');
  write('src/history/find.ts', 'export {};\n');
  write('src/api/errors.ts', 'export {};\n');
  for (const [from] of WANTED) write(from, importsOf(from));
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

function importsOf(from: string): string {
  const specifiers = WANTED.filter(([path]) => path === from).map(([, specifier]) => specifier);
  return `${specifiers.map((specifier) => `import '${specifier}';\n`).join('')}export {};\n`;
}

/** What the rules find in the tree of `cwd`, and how the command ends. */
function cruise(cwd: string): { status: number | null; violations: Violation[] } {
  const command = [CRUISER, 'src', '--config', RULES, '--output-type', 'json'];
  // The report of the whole tree is longer than the megabyte that Node takes by itself.
  const json = spawnSync(process.execPath, command, { cwd, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  if (!json.stdout.startsWith('{')) throw new Error(`dependency-cruiser did not report: ${json.stderr}`);
  return { status: json.status, violations: JSON.parse(json.stdout).summary.violations };
}

// Each run of the command reads a tree from the beginning.
describe('the import rules', { timeout: 120_000 }, () => {
  test('let every wanted import pass', () => {
    expect(cruise(root).violations).toEqual([]);
  });

  test('each refuse the one import that is planted for it', () => {
    for (const [rule, [folder, specifier]] of Object.entries(PLANTED)) {
      write(`${folder}/${rule}.ts`, `import '${specifier}';\nexport {};\n`);
    }
    const { violations } = cruise(root);
    for (const [rule, [folder]] of Object.entries(PLANTED)) rmSync(join(root, folder, `${rule}.ts`));

    const refused = violations.filter(({ rule, from }) => from.endsWith(`/${rule.name}.ts`)).map(({ rule }) => rule.name);
    expect(new Set(refused)).toEqual(new Set(Object.keys(PLANTED)));
    const elsewhere = violations.filter(({ from }) => !Object.entries(PLANTED).some(([rule, [folder]]) => from === `${folder}/${rule}.ts`));
    expect(elsewhere).toEqual([]);
  });

  test('make the command fail, so that a check cannot pass over a refusal', () => {
    write('src/trail/planted.ts', "import '../history/find.ts';\nexport {};\n");
    const { status, stdout } = spawnSync(process.execPath, [CRUISER, 'src', '--config', RULES], { cwd: root, encoding: 'utf8' });
    rmSync(join(root, 'src/trail/planted.ts'));
    expect(status).toBe(1);
    expect(stdout).toContain('features-do-not-meet: src/trail/planted.ts → src/history/find.ts');
  });

  test('each have a planted import here', () => {
    const config = createRequire(import.meta.url)(RULES);
    expect(Object.keys(PLANTED)).toEqual(config.forbidden.map((rule: { name: string }) => rule.name));
  });

  test('name every folder of src, so that a new one cannot stand outside them', () => {
    const text = JSON.stringify(createRequire(import.meta.url)(RULES).forbidden);
    const unnamed = readdirSync('src', { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
      .filter((name) => !new RegExp(`\\b${name}\\b`).test(text));
    expect(unnamed).toEqual([]);
  });

  test('are kept by the whole tree', () => {
    const found = cruise(process.cwd()).violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`);
    expect(found).toEqual([]);
  });
});
