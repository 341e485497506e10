/** Puts on record a span without digests or deliveries that no receipt tells of. */
import { formatEventTime } from '../event/times.ts';
import { utf8 } from '../tlog/text.ts';
import { trailArn } from './trail.ts';
import type { TrailChange } from './trail-state.ts';
import type { TrailStep } from './trail-step.ts';

export async function appendGap({ id, deps }: TrailStep, reason: string, change: TrailChange, more: object = {}): Promise<void> {
  const { event, principal, sequence, atMs } = change;
  const gap = { version: 1, trailARN: trailArn(id), reason, event, principal, sequence, from: formatEventTime(atMs), ...more };
  await deps.journal.append([
    {
      kind: 'fact',
      factKind: 'gap',
      factId: `gap/${sequence}/${trailArn(id)}`.slice(0, 256),
      account: id.account,
      region: id.homeRegion,
      receivedAtMs: atMs,
      bytes: utf8(`${JSON.stringify(gap)}\n`),
    },
  ]);
}
