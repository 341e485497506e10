/**
 * Finds the foreign clients that system tests drive: the AWS CLI 1.45 and a Python with boto3.
 *
 * A user need not have them: such tests are skipped with the reason printed. `SNOWTRAIL_REQUIRE_ALL=1` (continuous
 * integration) makes what is missing a failure. `SNOWTRAIL_AWS` and `SNOWTRAIL_PYTHON` name other executables.
 */
import { execFile } from 'node:child_process';

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end; a failing one is a result, not an error. */
export function run(
  file: string,
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string; readonly timeoutMs?: number } = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const settings = {
      env: { ...process.env, ...options.env },
      maxBuffer: 64 * 1024 * 1024,
      timeout: options.timeoutMs ?? 110_000,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    };
    execFile(file, args, settings, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 127;
      resolve({ code, stdout, stderr: code === 127 && stderr === '' ? String(error) : stderr });
    });
  });
}

/** The `aws` command in version 1.45, or `undefined`. @throws Error when it is missing and everything is required. */
export async function findAwsCli(): Promise<string | undefined> {
  const command = process.env['SNOWTRAIL_AWS'] ?? 'aws';
  const { code, stdout, stderr } = await run(command, ['--version']);
  if (code === 0 && /^aws-cli\/1\.45\./.test(stdout || stderr)) return command;
  return missing(
    `the AWS CLI 1.45 is missing (\`${command} --version\` said \`${(stdout || stderr).trim().slice(0, 100)}\`); pip install awscli==1.45.11`,
  );
}

/** A Python that has boto3 1.43, or `undefined`. @throws Error when it is missing and everything is required. */
export async function findBoto3(): Promise<string | undefined> {
  const command = process.env['SNOWTRAIL_PYTHON'] ?? 'python3';
  const { code, stdout } = await run(command, ['-c', 'import boto3; print(boto3.__version__)']);
  if (code === 0 && stdout.startsWith('1.43.')) return command;
  return missing(`boto3 1.43 is missing (\`${command}\` has \`${stdout.trim()}\`); pip install boto3==1.43.11`);
}

function missing(reason: string): undefined {
  if (process.env['SNOWTRAIL_REQUIRE_ALL'] === '1') throw new Error(reason);
  console.warn(`skipped: ${reason}`);
  return undefined;
}

/** Environment that points a client of AWS at a server. */
export function clientEnvironment(
  url: string,
  key: { readonly accessKeyId: string; readonly secretAccessKey: string },
  region: string,
): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: url,
    AWS_ACCESS_KEY_ID: key.accessKeyId,
    AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_MAX_ATTEMPTS: '2',
    AWS_PAGER: '',
  };
}
