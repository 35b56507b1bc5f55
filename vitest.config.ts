import { defineConfig } from 'vitest/config';

const NAMED = ['test/support/named.ts'];

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/transcripts/**/*.test.ts'],
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/integration/**/*.test.ts', 'test/e2e/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          setupFiles: NAMED,
          pool: 'forks',
          // Most of what these do is to wait.
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // What loads the machine so much that nothing else should be tested meanwhile.
        test: {
          name: 'alone',
          include: ['test/alone/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 60_000,
          setupFiles: NAMED,
          pool: 'forks',
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
