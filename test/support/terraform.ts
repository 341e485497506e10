/**
 * Runs Terraform 1.11 with the AWS provider 5.100.0 in a folder of its own, against a server.
 *
 * Both are in no registry that tests may use: where they are missing, their tests are skipped, also where everything else is required.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { Client } from '../../src/cli/client.ts';
import { findServer } from '../../src/cli/find-server.ts';
import { clientEnvironment, run } from './clients.ts';
import type { StartedServer } from './start-server.ts';

const PLUGINS = ['/opt/tf-plugins', process.env['SNOWTRAIL_TERRAFORM_PLUGINS'] ?? ''].find((folder) =>
  existsSync(join(folder, 'registry.terraform.io/hashicorp/aws/5.100.0')),
);

export const hasTerraform = PLUGINS !== undefined && isInstalled();
if (!hasTerraform)
  console.warn('skipped: Terraform 1.11 with the AWS provider 5.100.0 is missing; SNOWTRAIL_TERRAFORM_PLUGINS names a folder with it');

function isInstalled(): boolean {
  try {
    return execFileSync('terraform', ['version'], { stdio: 'pipe' }).toString().startsWith('Terraform v1.11');
  } catch {
    return false;
  }
}

/** What Terraform and its provider read of the environment, with the key of an account's root. */
export async function terraformEnvironment(
  server: StartedServer,
  { account, region }: { readonly account: string; readonly region: string },
): Promise<Record<string, string>> {
  const { access } = new Client(await findServer({ dataDir: server.dataDir, account }));
  const key = { accessKeyId: access.accessKeyId, secretAccessKey: access.secretAccessKey };
  return { ...clientEnvironment(server.url, key, region), TF_CLI_CONFIG_FILE: '/dev/null', CHECKPOINT_DISABLE: '1', TF_IN_AUTOMATION: '1' };
}

/** The topic `winterday-deliveries` with these settings, to which CloudTrail may publish. */
export function topic(settings = ''): string {
  return `
resource "aws_sns_topic" "deliveries" {
  name = "winterday-deliveries"
${settings}
}

resource "aws_sns_topic_policy" "deliveries" {
  arn = aws_sns_topic.deliveries.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "cloudtrail.amazonaws.com" }
      Action    = "SNS:Publish"
      Resource  = aws_sns_topic.deliveries.arn
    }]
  })
}
`;
}

/** What Terraform keeps of what it made, as far as tests look at it. */
export interface State {
  readonly serial: number;
  readonly resources: readonly {
    readonly type: string;
    readonly name: string;
    readonly instances: readonly { schema_version: number; readonly attributes: Record<string, unknown> }[];
  }[];
}

/** One configuration with its state. */
export class Terraform {
  readonly #folder: string;
  readonly #env: Record<string, string>;

  private constructor(folder: string, env: Record<string, string>) {
    this.#folder = folder;
    this.#env = env;
  }

  static async begin(env: Record<string, string>): Promise<Terraform> {
    const terraform = new Terraform(await mkdtemp(join(tmpdir(), 'snowtrail-terraform-')), env);
    await terraform.#write('');
    await terraform.succeed('init', `-plugin-dir=${PLUGINS}`, '-no-color', '-input=false');
    return terraform;
  }

  /** Runs a command that must succeed. @returns what it wrote */
  async succeed(...words: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await run('terraform', words, { cwd: this.#folder, env: this.#env, timeoutMs: 120_000 });
    expect(code, `${words.join(' ')}: ${code}\n${stdout.slice(-3_000)}\n${stderr.slice(-3_000)}`).toBe(0);
    return stdout;
  }

  /** Applies a configuration, and finds nothing to change after it. */
  async converge(configuration: string): Promise<void> {
    await this.#write(configuration);
    await this.succeed('apply', '-auto-approve', '-no-color', '-input=false');
    await this.expectNothingToDo();
  }

  /** Plans, and finds no difference. */
  async expectNothingToDo(): Promise<void> {
    // 0: there is nothing to do; 2: there is.
    await this.succeed('plan', '-detailed-exitcode', '-no-color', '-input=false');
  }

  /** A resource as Terraform read it. */
  async read(address: string): Promise<Record<string, unknown>> {
    const { resources } = await this.state();
    return resources.find(({ type, name }) => `${type}.${name}` === address)!.instances[0]!.attributes;
  }

  async state(): Promise<State> {
    return JSON.parse(await this.succeed('state', 'pull')) as State;
  }

  /** Puts a state in place of the one that it was made of. */
  async replaceState(state: State): Promise<void> {
    await writeFile(join(this.#folder, 'replacing.json'), JSON.stringify({ ...state, serial: state.serial + 1 }));
    await this.succeed('state', 'push', 'replacing.json');
  }

  /** Forgets a resource, and takes it in again as it is there. */
  async reimport(address: string, id: string): Promise<void> {
    await this.succeed('state', 'rm', address);
    await this.succeed('import', '-no-color', '-input=false', address, id);
  }

  async destroy(): Promise<void> {
    await this.succeed('destroy', '-auto-approve', '-no-color', '-input=false');
  }

  /** Takes its folder away; what it made stays. */
  end(): Promise<void> {
    return rm(this.#folder, { recursive: true, force: true });
  }

  #write(configuration: string): Promise<void> {
    return writeFile(join(this.#folder, 'main.tf'), `${provider(this.#env['AWS_DEFAULT_REGION']!)}\n${configuration}`);
  }
}

function provider(region: string): string {
  return `
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

provider "aws" {
  region            = "${region}"
  s3_use_path_style = true
}
`;
}
