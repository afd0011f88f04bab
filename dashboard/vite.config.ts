import { defineConfig } from 'vitest/config';
import { compress } from './compress.ts';
import { fakeServer } from './test-support/fake_server.ts';

/** Where `npm run dev` finds a real server. */
const SERVER = process.env['CITYFLOW_URL'] ?? 'http://127.0.0.1:8080';

export default defineConfig(({ mode }) => ({
  // With `--mode fake` the page runs against canned data, without any server.
  plugins: mode === 'fake' ? [fakeServer()] : [compress()],
  server: {
    host: '127.0.0.1',
    proxy: mode === 'fake' ? {} : { '/api': SERVER, '/ws': { target: SERVER, ws: true } },
  },
  preview: { host: '127.0.0.1' },
  build: {
    target: 'es2022',
    outDir: 'dist',
    emptyOutDir: true,
    // MapLibre alone is a megabyte; it is loaded after the login.
    chunkSizeWarningLimit: 1300,
    rolldownOptions: {
      checks: { bundlerTimings: false },
      output: {
        codeSplitting: {
          groups: [{ name: 'maplibre', test: /node_modules[\\/](maplibre-gl|@mapbox|@maplibre)/ }],
        },
      },
    },
  },
  worker: { format: 'es' },
  test: {
    include: ['src/**/*.test.{ts,tsx}', 'test-support/**/*.test.ts'],
    environment: 'node',
    restoreMocks: true,
  },
}));
