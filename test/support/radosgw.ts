/**
 * Starts Ceph's S3 (radosgw) on the loopback address, with everything below it in memory and in one folder.
 *
 * One monitor, one manager, one OSD in memory, one gateway; what it holds is gone when it stops. The packages are
 * Debian's: `ceph-mon ceph-mgr ceph-osd radosgw ceph-common`. Ready in about 20 seconds.
 * Source: reliability.md §3; docs.ceph.com, "Manual deployment".
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, hasCommands, startTool, type Tool, untilAnswers } from './start-tool.ts';

const run = promisify(execFile);

export interface Radosgw {
  readonly endpoint: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  stop(): Promise<void>;
}

/**
 * Whether the packages are there.
 * @throws Error when they are not and `SNOWTRAIL_REQUIRE_ALL` is `1`.
 */
export function hasRadosgw(): boolean {
  const commands = ['ceph-mon', 'ceph-mgr', 'ceph-osd', 'radosgw', 'radosgw-admin', 'ceph-authtool', 'monmaptool', 'ceph'];
  return hasCommands(commands, 'install ceph-mon ceph-mgr ceph-osd radosgw ceph-common to hold our S3 client against Ceph');
}

export async function startRadosgw(): Promise<Radosgw> {
  // Short: the paths of its sockets may have 107 bytes.
  const folder = await mkdtemp(join(tmpdir(), 'rgw-'));
  const tools: Tool[] = [];
  const stop = async () => {
    for (const tool of tools.reverse()) await tool.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const [monPort, rgwPort] = [await freePort(), await freePort()];
    const conf = join(folder, 'ceph.conf');
    const keyring = join(folder, 'keyring');
    const fsid = '5f0c2d3e-8a1b-4c6d-9e7f-0123456789ab';
    await writeFile(conf, confOf(folder, fsid, monPort, rgwPort));
    for (const name of ['mon', 'mgr', 'osd']) await mkdir(join(folder, name));
    await makeKeys(keyring);

    const monmap = join(folder, 'monmap');
    await run('monmaptool', ['--create', '--addv', 'a', `[v2:127.0.0.1:${monPort}]`, '--fsid', fsid, monmap]);
    const base = ['-c', conf];
    await run('ceph-mon', [...base, '--keyring', keyring, '--mkfs', '-i', 'a', '--monmap', monmap]);
    const started = (command: string, ...args: string[]) => {
      const tool = startTool(command, ['-f', ...base, ...args]);
      tools.push(tool);
      return tool;
    };
    started('ceph-mon', '-i', 'a');
    const admin = (...args: string[]) => run('ceph', [...base, '--connect-timeout', '30', ...args]);
    started('ceph-mgr', '-i', 'a');

    const uuid = '0d5a2b1c-3e4f-4a5b-8c6d-abcdef012345';
    await admin('osd', 'new', uuid, '0');
    await run('ceph-osd', [...base, '-i', '0', '--mkfs', '--osd-uuid', uuid]);
    started('ceph-osd', '-i', '0');

    const gateway = started('radosgw', '-n', 'client.admin');
    const endpoint = `http://127.0.0.1:${rgwPort}`;
    await untilAnswers(endpoint, gateway, 90_000);
    const credentials = { accessKeyId: 'snowtrail', secretAccessKey: 'snowtrail-secret' };
    const user = ['--uid=snowtrail', '--display-name=Snowtrail', '--access-key=snowtrail', '--secret-key=snowtrail-secret'];
    await run('radosgw-admin', [...base, '-n', 'client.admin', 'user', 'create', ...user]);
    return { endpoint, credentials, stop };
  } catch (cause) {
    const outputs = tools.map((tool) => tool.output().slice(-2_000)).join('\n---\n');
    await stop();
    throw new Error(`radosgw does not start:\n${outputs}`, { cause });
  }
}

async function makeKeys(keyring: string): Promise<void> {
  const make = (name: string, ...capabilities: string[]) => run('ceph-authtool', [keyring, '--gen-key', '-n', name, ...capabilities]);
  await run('ceph-authtool', ['--create-keyring', keyring, '--gen-key', '-n', 'mon.', '--cap', 'mon', 'allow *']);
  await make('client.admin', '--cap', 'mon', 'allow *', '--cap', 'osd', 'allow *', '--cap', 'mgr', 'allow *', '--cap', 'mds', 'allow *');
  await make('mgr.a', '--cap', 'mon', 'allow profile mgr', '--cap', 'osd', 'allow *');
  await make('osd.0', '--cap', 'mon', 'allow profile osd', '--cap', 'mgr', 'allow profile osd', '--cap', 'osd', 'allow *');
}

function confOf(folder: string, fsid: string, monPort: number, rgwPort: number): string {
  const kmsKey = Buffer.alloc(32, 7).toString('base64');
  return `[global]
fsid = ${fsid}
mon host = [v2:127.0.0.1:${monPort}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
run dir = ${folder}
keyring = ${folder}/keyring
admin socket = ${folder}/$name.asok
log file = /dev/null
mon cluster log file = /dev/null
mon data = ${folder}/mon
mgr data = ${folder}/mgr
osd data = ${folder}/osd
osd objectstore = memstore
memstore device bytes = 2147483648
osd pool default size = 1
osd pool default min size = 1
osd crush chooseleaf type = 0
osd pool default pg num = 8
osd pool default pgp num = 8
mon allow pool size one = true
mon warn on pool no redundancy = false
mon data avail crit = 1
mon data avail warn = 2
mgr initial modules =
setuser match path = ${folder}
rgw data = ${folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:${rgwPort}
rgw crypt require ssl = false
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = testkey-1=${kmsKey}
`;
}
