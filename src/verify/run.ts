/**
 * What the parts of one verification share, and what was asked for.
 */
import type { Expired } from './expired.ts';
import type { Inspector } from './inspector.ts';
import type { JobLimit } from './job-limit.ts';
import type { NumberSet, ScopeId, TrailName } from './layout.ts';
import type { ReportBuilder } from './report.ts';
import type { ListedSource } from './source.ts';
import type { Trust } from './trust.ts';

/** Public key files of one trail at one place that are read. */
export const KEY_FILES_MAX = 1_000;

/** What of the evidence is checked. The receipts are always read whole: they are what everything is held against. */
export interface Selection {
  /** `YYYY-MM-DDTHH:MM:SSZ`: files delivered, and digests that end, at or after it. */
  readonly from?: string;
  /** `YYYY-MM-DDTHH:MM:SSZ`: files delivered, and digests that begin, at or before it. */
  readonly to?: string;
  readonly regions?: ReadonlySet<string>;
}

export interface Run {
  readonly source: ListedSource;
  readonly trust: Trust;
  readonly report: ReportBuilder;
  readonly jobs: JobLimit;
  readonly inspector: Inspector;
  readonly inventory: Inventory;
  readonly selection: Selection;
  /** What the server's journal says of what is not there; absent offline. */
  readonly expired?: Expired;
  /** The caller knows that this is a copy at another place. */
  readonly isRelocated: boolean;
  /** The present. */
  readonly nowMs: number;
  /** A file was looked at. */
  readonly progress: () => void;
}

/** What a source was found to hold, before anything was read. */
export interface Inventory {
  /** Keys of log files and digests that no receipt has named so far. */
  readonly unnamed: Set<string>;
  /** Keys whose newest version is a delete marker. */
  readonly deleted: Set<string>;
  /** Of those of them of which versions are still there, the ids of these. */
  readonly hidden: Map<string, ReadonlySet<string>>;
  /** Keys that hold several versions with different bytes, as far as the listing tells: how many contents, and the ids of the versions. */
  readonly overwritten: Map<string, { readonly contents: number; readonly versionIds: readonly string[] | undefined }>;
  readonly trails: Map<string, FoundTrail>;
}

export interface FoundTrail {
  readonly trail: TrailName;
  /** The receipts, by the place that holds them: a trail that was moved has several. */
  readonly places: Map<ScopeId, FoundReceipts>;
}

export interface FoundReceipts {
  readonly numbers: NumberSet;
  /** Keys of its public key files. */
  readonly keyFiles: string[];
}

export function wantsTime(selection: Selection, start: string, end: string): boolean {
  return (selection.from === undefined || end >= selection.from) && (selection.to === undefined || start <= selection.to);
}

export function wantsRegion(selection: Selection, region: string | undefined): boolean {
  return selection.regions === undefined || (region !== undefined && selection.regions.has(region));
}
