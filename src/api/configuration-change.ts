/**
 * A change of settings, as a call decided it: becomes the `configuration` fact beside the call's record (docs/formats/configuration.md).
 */
import type { AccountId, Region } from '../event/types.ts';

export interface ConfigurationChange {
  /** ARN of what is changed; account and Region are its own, whoever calls. */
  readonly resource: string;
  readonly account: AccountId;
  readonly region: Region;
  /** What of the resource is changed, where its parts change each on their own, such as `policy` of a bucket. Absent: all of it. */
  readonly part?: string | undefined;
  /** The settings, without secrets; absent before there were any, and after they are gone. */
  readonly before?: object | undefined;
  readonly after?: object | undefined;
  /** What is taken no more, one sentence each; absent or empty when nothing gets smaller. */
  readonly takesNoMore?: readonly string[] | undefined;
}
