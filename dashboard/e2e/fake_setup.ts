import { fileURLToPath } from 'node:url';
import { preview } from 'vite';
import { FAKE_PASSWORD, fakeServer } from '../test-support/fake_server.ts';

/** Serves the built page with the fake API on a free port, and tells the tests where. */
export default async function setup(): Promise<() => Promise<void>> {
  const server = await preview({
    root: fileURLToPath(new URL('..', import.meta.url)),
    configFile: false,
    plugins: [fakeServer()],
    preview: { host: '127.0.0.1', port: 0 },
  });
  process.env['CITYFLOW_URL'] = server.resolvedUrls?.local[0] ?? '';
  process.env['CITYFLOW_EMAIL'] = 'admin@cityflow.local';
  process.env['CITYFLOW_PASSWORD'] = FAKE_PASSWORD;
  return () => server.close();
}
