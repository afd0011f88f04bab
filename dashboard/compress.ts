import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';

/** Smaller files are not worth two more in the binary, in bytes. */
const WORTH_IT = 1024;

/**
 * Writes a `.br` and a `.gz` beside each larger text file of the build. The server
 * hands out the smaller one that a browser takes, without compressing anything
 * itself: on a small machine that would cost more than the transfer saves.
 */
export function compress(): Plugin {
  return {
    name: 'cityflow-compress',
    apply: 'build',
    writeBundle({ dir = 'dist' }, bundle) {
      for (const name of Object.keys(bundle).filter((n) => /\.(js|css|html)$/.test(n))) {
        const bytes = readFileSync(join(dir, name));
        if (bytes.length < WORTH_IT) continue;
        writeFileSync(join(dir, `${name}.br`), brotliCompressSync(bytes));
        writeFileSync(join(dir, `${name}.gz`), gzipSync(bytes, { level: 9 }));
      }
    },
  };
}
