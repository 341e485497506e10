/**
 * `snowtrail env`: prints the lines that point AWS clients at the server.
 */
import type { Command } from 'commander';
import { UsageError } from '../exit.ts';
import { findServer } from '../find-server.ts';
import { type GlobalOptions, globalOptions } from '../global-options.ts';
import { addExamples } from '../help.ts';

const SERVICES: ReadonlyMap<string, string> = new Map([
  ['cloudtrail', 'CLOUDTRAIL'],
  ['s3', 'S3'],
  ['sts', 'STS'],
]);

export function addEnv(program: Command): void {
  const command = program
    .command('env')
    .description('print settings for AWS clients: `eval "$(snowtrail env)"`')
    .option('--shell <shell>', 'bash, zsh, fish or pwsh', 'bash')
    .option('--only <services>', 'endpoints of single services, such as cloudtrail,s3')
    .action(async (options: { shell: string; only?: string }, self: Command) => {
      const access = await findServer(globalOptions(self) satisfies GlobalOptions);
      const variables: [string, string][] = [
        ...endpoints(access.url, options.only),
        ['AWS_ACCESS_KEY_ID', access.accessKeyId],
        ['AWS_SECRET_ACCESS_KEY', access.secretAccessKey],
        ...(access.sessionToken === undefined ? [] : ([['AWS_SESSION_TOKEN', access.sessionToken]] as [string, string][])),
        ['AWS_REGION', access.region],
        ['AWS_DEFAULT_REGION', access.region],
      ];
      const line = lineFor(options.shell);
      process.stdout.write(variables.map(([name, value]) => `${line(name, value)}\n`).join(''));
    });
  addExamples(command, ['env', 'env --account 111122223333 --data-dir ./snowtrail-data', 'env --only cloudtrail,s3']);
}

function endpoints(url: string, only: string | undefined): [string, string][] {
  if (only === undefined) return [['AWS_ENDPOINT_URL', url]];
  return only.split(',').map((service) => {
    const name = SERVICES.get(service.trim());
    if (name === undefined) throw new UsageError(`\`--only ${service}\` is none of: ${[...SERVICES.keys()].join(', ')}`);
    return [`AWS_ENDPOINT_URL_${name}`, url];
  });
}

function lineFor(shell: string): (name: string, value: string) => string {
  switch (shell) {
    case 'bash':
    case 'zsh':
      return (name, value) => `export ${name}='${value.replaceAll("'", "'\\''")}'`;
    case 'fish':
      return (name, value) => `set -gx ${name} '${value.replaceAll("'", "\\'")}'`;
    case 'pwsh':
      return (name, value) => `$env:${name} = '${value.replaceAll("'", "''")}'`;
    default:
      throw new UsageError(`\`--shell ${shell}\` is none of: bash, zsh, fish, pwsh`);
  }
}
