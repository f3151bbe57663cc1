/** Compiles the package into dist/esm and dist/cjs. */
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');

rmSync(`${here}dist`, { recursive: true, force: true });
for (const [form, options] of [
  ['esm', ['--module', 'esnext', '--moduleResolution', 'bundler']],
  ['cjs', ['--module', 'commonjs', '--moduleResolution', 'node10']],
]) {
  execFileSync(process.execPath, [tsc, '-p', here, '--outDir', `${here}dist/${form}`, ...options], { stdio: 'inherit' });
  writeFileSync(`${here}dist/${form}/package.json`, JSON.stringify({ type: form === 'cjs' ? 'commonjs' : 'module' }));
}
