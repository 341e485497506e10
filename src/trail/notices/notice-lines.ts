/**
 * How the topics of all trails are told, for metrics and the health of the installation.
 */
import type { AccountId, Region } from '../../event/types.ts';
import type { Catalog } from '../../store/catalog.ts';
import type { MessageLine } from '../../store/message-line.ts';
import type { TrailId } from '../trail.ts';
import { NO_NOTICES, NOTICE, NOTICE_STATUS, type Notice, type NoticeStatus } from './notice.ts';

/** One line for each trail that has told a topic of something, or is to. */
export async function noticeLines(catalog: Pick<Catalog, 'list'>): Promise<readonly MessageLine[]> {
  const waiting = new Map<string, number>();
  for (const { key } of await catalog.list<Notice>([NOTICE])) waiting.set(nameOf(key), (waiting.get(nameOf(key)) ?? 0) + 1);
  const statuses = new Map((await catalog.list<NoticeStatus>([NOTICE_STATUS])).map(({ key, value }) => [nameOf(key), value] as const));
  const names = new Set([...statuses.keys(), ...waiting.keys()]);
  return [...names].sort().map((name) => {
    const { sent, failed, givenUp, error } = statuses.get(name) ?? NO_NOTICES;
    return { name, waiting: waiting.get(name) ?? 0, sent, failed, givenUp, ...(error === undefined ? {} : { problem: error }) };
  });
}

/** As followers are called. */
export function noticesName({ account, homeRegion, name }: TrailId): string {
  return `notices/${account}/${homeRegion}/${name}`;
}

function nameOf([, account, homeRegion, name]: readonly string[]): string {
  return noticesName({ account: account as AccountId, homeRegion: homeRegion as Region, name: name! });
}
