/**
 * Finds the server and the key that a command uses.
 *
 * By `--endpoint`, else by `--data-dir` or `SNOWTRAIL_DATA_DIR`, else by `AWS_ENDPOINT_URL`, else by `./snowtrail-data`. Found by data
 * directory it uses the root key kept there, or the key of `--account`; found by endpoint, the AWS credentials of the
 * environment or of the profile. Source: DESIGN §6.
 */
import { readdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { isRegion } from '../event/values.ts';
import { CommandFailed, EXIT, UsageError } from './exit.ts';
import { safeText } from './safe-text.ts';

export interface ServerOptions {
  readonly endpoint?: string;
  readonly dataDir?: string;
  readonly account?: string;
  readonly region?: string;
  readonly profile?: string;
}

export interface ServerAccess {
  readonly url: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** Known when found by data directory. */
  readonly account?: string;
  /** Where the server keeps its data, when it was found there. */
  readonly dataDir?: string;
}

/** @throws UsageError when no key is found, CommandFailed when no server runs; both say what to do. */
export async function findServer(options: ServerOptions, environment: NodeJS.ProcessEnv = process.env): Promise<ServerAccess> {
  if (options.region !== undefined && !isRegion(options.region))
    throw new UsageError(`\`--region ${safeText(options.region)}\` is not a Region; expected one such as us-east-1`);
  const dataDir = options.dataDir ?? environment['SNOWTRAIL_DATA_DIR'];
  if (options.endpoint !== undefined) return byEndpoint(options.endpoint, options, environment);
  if (dataDir !== undefined) return byDataDir(dataDir, options);
  const endpoint = environment['AWS_ENDPOINT_URL'];
  if (endpoint !== undefined) return byEndpoint(endpoint, options, environment);
  return byDataDir('./snowtrail-data', options);
}

async function byDataDir(dataDir: string, options: ServerOptions): Promise<ServerAccess> {
  const text = await readFile(join(dataDir, 'server.json'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new CommandFailed(
      EXIT.failed,
      error.code === 'ENOENT' || error.code === 'ENOTDIR'
        ? `no server runs on \`${dataDir}\`; start one with \`snowtrail start --data-dir ${dataDir}\`, or pass --endpoint`
        : `\`${dataDir}\` cannot be looked into (${error.code}); do this as the user that runs the server, or pass --endpoint and a key`,
    );
  });
  const server = JSON.parse(text) as { url: string; accountId: string; region: string };
  const account = options.account ?? server.accountId;
  const path = join(dataDir, 'access-keys', `${account}.json`);
  const key = await readFile(path, 'utf8').catch(async () => {
    const files = await readdir(join(dataDir, 'access-keys')).catch(() => []);
    const kept = files.filter((name) => name.endsWith('.json')).map((name) => name.replace('.json', ''));
    throw new UsageError(`\`${dataDir}\` keeps no key of account ${account}; it has keys of: ${kept.join(', ') || 'none'}`);
  });
  const { accessKeyId, secretAccessKey } = JSON.parse(key) as { accessKeyId: string; secretAccessKey: string };
  return { url: server.url, region: options.region ?? server.region, accessKeyId, secretAccessKey, account, dataDir };
}

async function byEndpoint(endpoint: string, options: ServerOptions, environment: NodeJS.ProcessEnv): Promise<ServerAccess> {
  const region = options.region ?? environment['AWS_REGION'] ?? environment['AWS_DEFAULT_REGION'] ?? 'us-east-1';
  const url = endpoint.replace(/\/+$/, '');
  if (!/^https?:\/\/[^/]/.test(url) || !URL.canParse(url))
    throw new UsageError(`\`${endpoint}\` is not the URL of a server; expected one such as http://127.0.0.1:4620`);
  // To pass over it would ask with another account's key than the one that was named.
  if (options.account !== undefined) {
    const foundBy = options.endpoint === undefined ? 'AWS_ENDPOINT_URL' : '--endpoint';
    throw new UsageError(
      `--account takes a key out of a data directory, but the server was found by ${foundBy}; ` +
        `pass --data-dir${options.endpoint === undefined ? '' : ' instead'}, or the credentials of account ${options.account}`,
    );
  }
  const profile = options.profile ?? environment['AWS_PROFILE'];
  const [accessKeyId, secretAccessKey, sessionToken] = ['ACCESS_KEY_ID', 'SECRET_ACCESS_KEY', 'SESSION_TOKEN'].map(
    (name) => environment[`AWS_${name}`],
  );
  if (options.profile === undefined && accessKeyId !== undefined && secretAccessKey !== undefined) {
    return { url, region, accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
  }
  const found = await readProfile(environment['AWS_SHARED_CREDENTIALS_FILE'] ?? join(homedir(), '.aws/credentials'), profile ?? 'default');
  if (found === undefined) {
    throw new UsageError(
      `no AWS credentials found${profile === undefined ? '' : ` in profile \`${profile}\``}; ` +
        'run `eval "$(snowtrail env)"`, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or pass --data-dir',
    );
  }
  return { url, region, ...found };
}

/** Reads one section of an AWS credentials file. */
async function readProfile(
  path: string,
  profile: string,
): Promise<{ accessKeyId: string; secretAccessKey: string; sessionToken?: string } | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const values = new Map<string, string>();
  let section = '';
  for (const line of text.split(/\r?\n/)) {
    const header = /^\s*\[([^\]]+)\]\s*$/.exec(line);
    if (header) section = header[1]!.trim();
    const setting = /^\s*([a-z_]+)\s*=\s*(.*?)\s*$/.exec(line);
    if (setting && section === profile) values.set(setting[1]!, setting[2]!);
  }
  const accessKeyId = values.get('aws_access_key_id');
  const secretAccessKey = values.get('aws_secret_access_key');
  const sessionToken = values.get('aws_session_token');
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}
