/**
 * Log groups in memory: the reference of the contract, and what simulations run on.
 *
 * Roles and groups are put in by the test; what a role may do is what its entry says.
 */
import type { Clock } from '../clock.ts';
import { type LogEvent, type LogGroups, LogGroupsError, type LogTarget } from '../log-groups.ts';

const DAY_MS = 24 * 3600 * 1000;
const OLD_MS = 14 * DAY_MS;
const AHEAD_MS = 2 * 3600 * 1000;
const CALL_BYTES_MAX = 1_048_576;
const CALL_EVENTS_MAX = 10_000;
const EVENT_OVERHEAD_BYTES = 26;

export interface MemoryLogGroups extends LogGroups {
  /** Streams by name, of each group by ARN. A test makes a group by setting it. */
  readonly groups: Map<string, Map<string, LogEvent[]>>;
  /** Calls that are refused, each by its code, while it says so; asked once for each call. */
  outage: ((call: 'createStream' | 'putEvents', target: LogTarget, stream: string) => string | undefined) | undefined;
}

/** @param roles ARNs of roles that can be assumed. Each may write where it is asked to. */
export function createMemoryLogGroups(options: {
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly roles: ReadonlySet<string>;
}): MemoryLogGroups {
  const groups = new Map<string, Map<string, LogEvent[]>>();
  const streamsOf = (call: 'createStream' | 'putEvents', target: LogTarget, stream: string): Map<string, LogEvent[]> => {
    const outage = memory.outage?.(call, target, stream);
    if (outage !== undefined) throw new LogGroupsError(outage, `\`${target.logGroupArn}\` is away`);
    if (!options.roles.has(target.roleArn)) throw new LogGroupsError('AccessDenied', `no \`${target.roleArn}\``, { isRole: true });
    const streams = groups.get(target.logGroupArn);
    if (streams === undefined) throw new LogGroupsError('ResourceNotFoundException', `no group \`${target.logGroupArn}\``);
    return streams;
  };
  const memory: MemoryLogGroups = {
    groups,
    outage: undefined,
    reaches: () => true,
    async createStream(target, stream) {
      const streams = streamsOf('createStream', target, stream);
      if (!streams.has(stream)) streams.set(stream, []);
    },
    async putEvents(target, stream, events) {
      const kept = streamsOf('putEvents', target, stream).get(stream);
      if (kept === undefined) throw new LogGroupsError('ResourceNotFoundException', `no stream \`${stream}\``);
      const sizeBytes = events.reduce((sum, { message }) => sum + Buffer.byteLength(message) + EVENT_OVERHEAD_BYTES, 0);
      const times = events.map(({ timestampMs }) => timestampMs);
      const isOrdered = times.every((time, at) => at === 0 || times[at - 1]! <= time);
      const isWithin = events.length >= 1 && events.length <= CALL_EVENTS_MAX && sizeBytes <= CALL_BYTES_MAX;
      if (!isOrdered || !isWithin || times.at(-1)! - times[0]! > DAY_MS)
        throw new LogGroupsError('InvalidParameterException', 'the events of the call are not within the limits');
      const nowMs = options.clock.nowMs();
      const tooOld = times.filter((time) => time < nowMs - OLD_MS).length;
      const tooNew = times.filter((time) => time > nowMs + AHEAD_MS).length;
      kept.push(...events.slice(tooOld, events.length - tooNew));
      return { tooOld, tooNew };
    },
    async close() {},
  };
  return memory;
}
