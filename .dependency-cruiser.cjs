/**
 * The import directions of ARCHITECTURE.md, as rules that fail the build.
 *
 * `server` → `http` and features → `store/*.ts` (interfaces) → engines → `event`, `api`. `cli` and `verify` stand outside the server.
 * Held to the tree by `npm run imports`; `test/unit/import-rules.test.ts` plants one forbidden import for each rule and sees it refused.
 * Comments on each rule say what would break, so that a refusal explains itself.
 */

const ENGINES = 'event|api|logfile|digest|tlog|policy|selector|aggregate';
const FEATURES = 'intake|history|trail|evidence|access|approvals|kms|organizations|sns|lifecycle';
const TEST = '[.]test[.]ts$';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycle',
      comment: 'Files that need each other cannot be read one after the other, nor tested apart.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-unresolvable',
      comment: 'An import that leads nowhere fails at run time.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'engines-are-pure',
      comment:
        'Values in, values out: the same code runs in the server, the command line and elsewhere. What an engine needs of the outside is passed in.',
      severity: 'error',
      from: { path: `^src/(${ENGINES})/`, pathNot: TEST },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'engines-import-engines-only',
      comment: 'An engine knows events, operations and its own kind; nothing of stores, features or the server.',
      severity: 'error',
      from: { path: `^src/(${ENGINES})/`, pathNot: TEST },
      to: { path: '^src/', pathNot: `^src/(${ENGINES})/` },
    },
    {
      name: 'event-and-api-are-the-bottom',
      comment: 'Every engine stands on `event` and `api`; these two stand on nothing else, `event` not even on `api`.',
      severity: 'error',
      from: { path: '^src/(event|api)/', pathNot: TEST },
      to: { path: '^src/', pathNot: '^src/(event|api)/' },
    },
    {
      name: 'event-stands-alone',
      comment: 'What an event is does not depend on which operations this server has.',
      severity: 'error',
      from: { path: '^src/event/', pathNot: TEST },
      to: { path: '^src/', pathNot: '^src/event/' },
    },
    {
      name: 'store-imports-engines-only',
      comment: 'A store keeps and finds; it takes no decision of a feature.',
      severity: 'error',
      from: { path: '^src/store/', pathNot: TEST },
      to: { path: '^src/', pathNot: `^src/(store|${ENGINES})/` },
    },
    {
      name: 'interfaces-know-no-implementation',
      comment: 'A promise that imports one way of keeping it is no longer a promise.',
      severity: 'error',
      from: { path: '^src/store/[^/]+[.]ts$', pathNot: TEST },
      to: { path: '^src/store/[^/]+/' },
    },
    {
      name: 'only-the-server-knows-implementations',
      comment: 'Features and edges see interfaces, so that the whole server runs over memory stores in a simulation.',
      severity: 'error',
      from: { path: '^src/', pathNot: [TEST, '^src/(server|store)/'] },
      to: { path: '^src/store/[^/]+/' },
    },
    {
      name: 'features-do-not-meet',
      comment: 'Features meet in the journal and in `server/`. What one needs of another is a function type that `server/` fills in.',
      severity: 'error',
      from: { path: `^src/(${FEATURES})/`, pathNot: TEST },
      to: { path: `^src/(${FEATURES})/`, pathNot: '^src/$1/' },
    },
    {
      name: 'features-use-engines-and-interfaces',
      comment: 'A feature decides; it is served by `http` and put together by `server`, never the other way round.',
      severity: 'error',
      from: { path: `^src/(${FEATURES})/`, pathNot: TEST },
      to: { path: '^src/', pathNot: `^src/(${ENGINES}|${FEATURES}|store)/` },
    },
    {
      name: 'http-translates',
      comment: 'The edge takes no domain decision: it reads, checks, hands over and answers.',
      severity: 'error',
      from: { path: '^src/http/', pathNot: TEST },
      to: { path: '^src/', pathNot: `^src/(${ENGINES}|http|store)/` },
    },
    {
      name: 'verify-is-offline',
      comment: 'The verifier must not trust, or share a fault with, the server that it checks.',
      severity: 'error',
      from: { path: '^src/verify/', pathNot: TEST },
      to: { path: '^src/', pathNot: `^src/(${ENGINES}|verify)/` },
    },
    {
      name: 'cli-talks-over-http',
      comment: 'A command does what any client can do. `start` and `demo` alone open the server, by its front door.',
      severity: 'error',
      from: { path: '^src/cli/', pathNot: TEST },
      to: {
        path: '^src/',
        pathNot: [
          `^src/(${ENGINES}|verify|cli)/`,
          '^src/http/(sign-request|canonical-request|signing-keys|chunk-chain|xml)[.]ts$',
          '^src/server/(start|settings)[.]ts$',
        ],
      },
    },
    {
      name: 'only-the-command-line-opens-the-server',
      comment: 'The composition is the top: nothing below it may look up.',
      severity: 'error',
      from: { path: '^src/', pathNot: [TEST, '^src/(server|cli)/'] },
      to: { path: '^src/(server|cli)/' },
    },
    {
      name: 'no-test-code-in-the-product',
      comment: 'What is installed does not lean on what is not.',
      severity: 'error',
      from: { path: '^src/', pathNot: TEST },
      to: { path: ['^(test|bench|scripts|examples)/', TEST] },
    },
    {
      name: 'no-dev-dependency-in-the-product',
      comment: 'A user who installs the package does not get development dependencies.',
      severity: 'error',
      from: { path: '^src/', pathNot: TEST },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-undeclared-package',
      comment: 'A package that another one happened to bring can be gone tomorrow.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
  ],
  options: {
    doNotFollow: { path: ['node_modules', '^(test|bench|scripts|examples)/'] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
