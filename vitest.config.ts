import { defineConfig } from 'vitest/config';

/** Half an hour of steady load belongs to the sweep alone. */
const soaks = process.env['SNOWTRAIL_SWEEP'] === '1' || process.env['SNOWTRAIL_SOAK_MINUTES'] !== undefined;

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'test/stores/**/*.test.ts', 'test/unit/**/*.test.ts'],
          testTimeout: 180_000,
        },
      },
      {
        test: {
          name: 'system',
          include: ['test/**/*.test.ts'],
          exclude: ['test/stores/**', 'test/unit/**', 'test/faults/**', 'test/simulation/**'],
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          exclude: soaks ? [] : ['test/faults/soak.test.ts'],
          testTimeout: 900_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'simulation',
          include: ['test/simulation/**/*.test.ts'],
          testTimeout: 600_000,
        },
      },
    ],
    // Two cores: more workers than that only make every process slower.
    maxWorkers: 2,
  },
});
