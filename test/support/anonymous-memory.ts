/**
 * What a server takes of the machine's memory.
 */
import { readFileSync } from 'node:fs';

/**
 * Anonymous memory in MiB of a process and of those that it started: without mapped files, which the system takes back at will.
 * @throws Error when the process has gone.
 */
export function anonymousMiB(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  // One that ended meanwhile takes nothing.
  return children.reduce((sum, child) => sum + (ownMiB(child) ?? 0), ownMiB(String(pid))!);
}

function ownMiB(pid: string): number | undefined {
  let status: string;
  try {
    status = readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return undefined;
  }
  const kib = /^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1];
  return kib === undefined ? undefined : Number(kib) / 1_024;
}
