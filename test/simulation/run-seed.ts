/**
 * One run of the simulation: a world, a program, and the oracle.
 */

import { type Findings, judge } from './oracle.ts';
import { Program } from './program.ts';
import { World, type WorldOptions } from './world.ts';

export interface SeedOutcome extends Findings {
  readonly seed: number;
  /** The same for the same seed. */
  readonly traceDigest: string;
  readonly lives: number;
}

/**
 * Runs a seed.
 * @throws Error that names the seed, the command that repeats it, and what happened last.
 */
export async function runSeed(options: WorldOptions): Promise<SeedOutcome> {
  const world = await World.make(options);
  try {
    const program = new Program(world);
    const life = await program.run();
    const findings = await judge(program, life);
    if (findings.faults.length > 0) throw new Error(findings.faults.slice(0, 12).join('\n'));
    // The tree's head stands for every event, and through the receipts for every object that was delivered.
    world.trace.add(JSON.stringify([findings, world.checkpoints.at(-1), world.steps]));
    await life.stop();
    return { seed: options.seed, traceDigest: world.trace.digest(), lives: world.lives, ...findings };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const command = `SNOWTRAIL_SEED=${options.seed} npx vitest run --project simulation`;
    throw new Error(`seed ${options.seed}: ${reason}\nrepeat it with: ${command}\nwhat happened last:\n${world.trace.tail()}`, { cause });
  }
}
