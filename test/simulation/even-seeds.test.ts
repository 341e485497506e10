import { test } from 'vitest';
import { runSeeds, SEEDS_MS_MAX } from './run-seeds.ts';

test(
  'whatever ends or fails, what was acknowledged is kept, delivered once, signed and explained (even seeds)',
  { timeout: SEEDS_MS_MAX },
  () => runSeeds('even'),
);
