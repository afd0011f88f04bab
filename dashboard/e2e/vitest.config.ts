import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/**
 * The browser tests. They need a running CityFlow, named by CITYFLOW_URL,
 * CITYFLOW_EMAIL and CITYFLOW_PASSWORD; with `--mode fake` they start the fake one.
 */
export default defineConfig(({ mode }) => ({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    include: ['e2e/**/*.e2e.ts'],
    globalSetup: mode === 'fake' ? ['e2e/fake_setup.ts'] : [],
    fileParallelism: false,
    testTimeout: 240_000,
    hookTimeout: 60_000,
    // Each step goes on from the one before.
    bail: 1,
  },
}));
