/**
 * What every implementation of `LogGroups` promises.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { type LogGroups, LogGroupsError, type LogTarget } from '../../src/store/log-groups.ts';

export interface LogGroupsRig {
  readonly logGroups: LogGroups;
  /** A group that is there, and a role that may write to it. */
  readonly target: LogTarget;
  /** Messages of a stream, in the order of their times. */
  read(stream: string): Promise<readonly string[]>;
  nowMs(): number;
}

export function logGroupsContract(name: string, open: () => Promise<LogGroupsRig>): void {
  describe(`log groups: ${name}`, () => {
    let rig: LogGroupsRig;
    beforeAll(async () => {
      rig = await open();
    });

    test('a stream is made once, and again is fine', async () => {
      await rig.logGroups.createStream(rig.target, 'made');
      await rig.logGroups.createStream(rig.target, 'made');
      expect(await rig.read('made')).toEqual([]);
    });

    test('events are there as they were put, whatever characters they have', async () => {
      await rig.logGroups.createStream(rig.target, 'text');
      const messages = ['{"a":"ä 雪 \\u0000"}', '{ "b" : 1.0 }'];
      const events = messages.map((message, at) => ({ timestampMs: rig.nowMs() - 1_000 + at, message }));
      expect(await rig.logGroups.putEvents(rig.target, 'text', events)).toEqual({ tooOld: 0, tooNew: 0 });
      expect(await rig.read('text')).toEqual(messages);
    });

    test('a stream or a group that is not there is refused as such', async () => {
      const events = [{ timestampMs: rig.nowMs(), message: 'lost' }];
      const reason = async (work: Promise<unknown>) => {
        const error = await work.then(
          () => undefined,
          (cause: unknown) => cause,
        );
        return error instanceof LogGroupsError ? error.reason : String(error);
      };
      expect(await reason(rig.logGroups.putEvents(rig.target, 'nowhere', events))).toBe('ResourceNotFoundException');
      const gone = { ...rig.target, logGroupArn: rig.target.logGroupArn.replace(':*', '-gone:*') };
      expect(await reason(rig.logGroups.createStream(gone, 'stream'))).toBe('ResourceNotFoundException');
    });
  });
}
