/**
 * A fault at every call that trails make of their stores, and what comes of living with each of them.
 */
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import type { TrailFindings } from './check-trail.ts';
import type { PlannedFault } from './trail-rig.ts';

/** Calls by store and method, as the rig counts them. */
type Calls = ReadonlyMap<string, number>;

/** Each call refused, and done with its answer lost. @param before The calls that came too early to fail. */
export function everyFault(calls: Calls, before: Calls = new Map()): PlannedFault[] {
  return [...calls].flatMap(([call, count]) => {
    const [store, method] = call.split('.') as [PlannedFault['store'], string];
    const first = (before.get(call) ?? 0) + 1;
    const every = Array.from({ length: count + 1 - first }, (_, index) => ({ store, method, nth: first + index }));
    return every.flatMap((each) => [
      { ...each, kind: 'refused' as const },
      { ...each, kind: 'taken' as const },
    ]);
  });
}

/** Lives once with each fault, which must come. @returns the verdicts that are not the wanted one, each with its fault. */
export async function wrongVerdicts<Outcome extends { readonly hasHit: boolean }>(
  faults: readonly PlannedFault[],
  live: (fault: PlannedFault) => Promise<Outcome>,
  verdict: (outcome: Outcome) => object,
  wanted: object,
): Promise<object[]> {
  const wrong: object[] = [];
  for (const fault of faults) {
    const { store, method, nth, kind } = fault;
    const name = `${store}.${method} ${nth} ${kind}`;
    const outcome = await live(fault);
    expect(outcome.hasHit, name).toBe(true);
    const found = verdict(outcome);
    if (!isDeepStrictEqual(found, wanted)) wrong.push({ fault: name, ...found });
  }
  return wrong;
}

/**
 * Keys of what the other has not written with the same bytes. Receipts apart: the journal's head, up to which a batch goes, is looked at
 * again by a new process.
 */
export function writtenOtherwise(clean: TrailFindings, other: TrailFindings): string[] {
  const keys = [...clean.objects.keys()].filter((key) => !key.includes('/receipts/'));
  return keys.filter((key) => clean.objects.get(key) !== other.objects.get(key));
}
