/**
 * `snowtrail start`: runs the server in the foreground until SIGTERM or SIGINT.
 */
import type { Command } from 'commander';
import { EXIT, UsageError } from '../exit.ts';
import { addExamples } from '../help.ts';

interface StartOptions {
  readonly dataDir?: string;
  readonly listen?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly trustedProxy?: readonly string[];
  readonly config?: string;
  readonly accountId?: string;
  readonly organizationId?: string;
  readonly region?: string;
  readonly flushInterval?: string;
  readonly digestInterval?: string;
  readonly clock?: string;
  readonly auth: boolean;
}

export function addStart(program: Command): void {
  const command = program
    .command('start')
    .description('run the server')
    .option('--data-dir <folder>', 'where all is kept (default: ./snowtrail-data)')
    .option('--listen <host:port>', 'address; port 0 takes a free one (default: 127.0.0.1:4620)')
    .option('--tls-cert <file>', 'certificate and chain, PEM: only TLS is served')
    .option('--tls-key <file>', 'its private key, in PEM')
    .option('--trusted-proxy <range...>', 'proxies that are believed who their clients are')
    .option('--config <file>', 'settings in YAML')
    .option('--account-id <digits>', 'the first account, chosen at the first start')
    .option('--organization-id <id>', 'of the organization that the first account makes')
    .option('--region <region>', 'Region of the installation (default: us-east-1)')
    .option('--flush-interval <duration>', 'time between two log files (default: 5s)')
    .option('--digest-interval <duration>', 'length of a digest interval (default: 1h)')
    .option('--clock <file>', 'sets the clock; for tests, loopback only')
    .option('--no-auth', 'for tests on loopback: all are the root')
    .action(async (options: StartOptions) => {
      await runServer(options);
    });
  addExamples(command, [
    'start',
    'start --data-dir /var/lib/snowtrail --listen 127.0.0.1:0',
    'start --flush-interval 2s --digest-interval 20s',
  ]);
}

async function runServer({ auth, trustedProxy, ...options }: StartOptions): Promise<void> {
  // Loaded here, so that every other command starts without the server's code.
  const { BadSetting, endProcess, readSettings, startServer } = await import('../../server/start.ts');
  const settings = (() => {
    try {
      const trustedProxies = trustedProxy === undefined ? {} : { trustedProxies: trustedProxy.join(',') };
      return readSettings({ ...options, ...trustedProxies, ...(auth ? {} : { noAuth: 'true' }) }, process.env);
    } catch (error) {
      if (error instanceof BadSetting) throw new UsageError(error.message);
      throw error;
    }
  })();
  if (settings.noAuth === 'true')
    process.stderr.write('NO AUTHENTICATION: every request is the root of the first account; stop it when the tests are over\n');
  const { url, server, failed, stop, abandon, renewTls } = await startServer(settings);
  if (renewTls !== undefined) process.on('SIGHUP', () => void renewTls());
  if (server.newKey !== undefined) {
    process.stderr.write(
      [
        `account ${server.newKey.account} was made; its root access key, shown this once and kept in ${settings.dataDir}/access-keys:`,
        `  AWS_ACCESS_KEY_ID=${server.newKey.accessKeyId}`,
        `  AWS_SECRET_ACCESS_KEY=${server.newKey.secretAccessKey}`,
        '',
      ].join('\n'),
    );
  }
  process.stdout.write(`listening on ${url}\n`);
  const stopped = new Promise<undefined>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(undefined));
  });
  // Else Node would print it and exit by itself, which may hang (`end-process.ts`).
  const crashed = new Promise<Error>((resolve) => process.on('uncaughtException', resolve));
  const failure = Promise.race([failed.then(({ message }) => message), crashed.then((error) => error.stack ?? String(error))]);
  // Undefined: it failed, before it was told to stop or while it did.
  const canExit = await Promise.race([stopped.then(stop), failure.then(() => undefined)]);
  if (canExit !== undefined) return endProcess(EXIT.ok, canExit);
  // The device lied or failed, or we did: nothing that is still in memory may be written any more (P7).
  process.stderr.write(`${await failure}; the server stops, start it again to read the disk anew\n`);
  endProcess(EXIT.failed, await abandon());
}
