import { execFileSync } from 'node:child_process';

it('describes the API as docs/openapi.json does (else run `npm run openapi`)', () => {
  const generate = ['node_modules/openapi-typescript/bin/cli.js', 'docs/openapi.json', '--default-non-nullable=false'];
  expect(() =>
    execFileSync(process.execPath, [...generate, '--output', 'packages/client/src/schema.ts', '--check'], { stdio: 'pipe' }),
  ).not.toThrow();
});
