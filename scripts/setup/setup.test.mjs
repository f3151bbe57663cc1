import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { distributionSources } from './apt.mjs';
import { callEngine, engineAt, imageLabels, runOnEngine, whyNoEngine } from './docker-api.mjs';
import { machineLimits } from './machine-limits.mjs';
import { tarOfOneFile } from './tar.mjs';

const directory = mkdtempSync(join(tmpdir(), 'sandbox-setup-'));
after(() => rmSync(directory, { recursive: true, force: true }));

/**
 * Runs a Docker engine that answers as the test says, for answers that a real engine does not give
 * on request.
 */
async function withEngine(respond, work) {
  const socket = join(directory, 'engine.sock');
  const server = createServer(respond).listen(socket);
  try {
    return await work(engineAt(`unix://${socket}`));
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

test('engineAt reads DOCKER_HOST as Docker’s clients do', () => {
  assert.deepEqual(engineAt('unix:///run/x.sock', {}).options, { socketPath: '/run/x.sock' });
  assert.deepEqual(engineAt('tcp://example.com', {}).options, { host: 'example.com', port: 2375 });
  assert.deepEqual(engineAt('tcp://[::1]:99', {}).options, { host: '::1', port: '99' });
  assert.throws(() => engineAt('ssh://example.com', {}), /DOCKER_HOST must begin with/);
});

test('engineAt takes certificates from DOCKER_CERT_PATH when TLS is on', () => {
  for (const name of ['ca', 'cert', 'key']) writeFileSync(join(directory, `${name}.pem`), name);
  const { options } = engineAt('tcp://example.com', { DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: directory });
  assert.equal(options.port, 2376);
  assert.equal(options.key.toString(), 'key');
});

test('whyNoEngine gives a reason when no engine answers', async () => {
  assert.equal(await whyNoEngine(engineAt('unix:///nowhere/docker.sock')), 'ENOENT');
  assert.equal(await withEngine((_, response) => response.end('OK'), whyNoEngine), undefined);
  assert.equal(await withEngine((_, response) => response.writeHead(503).end(), whyNoEngine), 'status 503');
});

test('callEngine throws when the engine falls silent', async () => {
  const call = (engine) => callEngine(engine, { path: '/', silenceMs: 50 });
  await assert.rejects(
    withEngine(() => {}, call),
    /no answer from the Docker engine/,
  );
});

test('imageLabels gives undefined when there is no such image', async () => {
  const image = JSON.stringify({ Config: { Labels: { a: 'b' } } });
  assert.deepEqual(
    await withEngine(
      (_, response) => response.end(image),
      (engine) => imageLabels(engine, 'x:y'),
    ),
    { a: 'b' },
  );
  assert.equal(
    await withEngine(
      (_, response) => response.writeHead(404).end(),
      (engine) => imageLabels(engine, 'x:y'),
    ),
    undefined,
  );
});

test('runOnEngine throws when a build reports an error, even with status 200', async () => {
  const lines = '{"stream":"Step 1"}\r\n{"errorDetail":{"message":"boom"},"error":"boom"}\r\n';
  const build = (engine) => runOnEngine(engine, { path: '/build', silenceMs: 1_000 });
  await assert.rejects(
    withEngine((_, response) => response.end(lines), build),
    /^Error: boom$/,
  );
});

test('tarOfOneFile makes an archive that tar reads', () => {
  const archive = join(directory, 'one.tar');
  writeFileSync(archive, tarOfOneFile('Dockerfile', Buffer.from('FROM scratch\n')));
  assert.equal(execFileSync('tar', ['-xOf', archive, 'Dockerfile'], { encoding: 'utf8' }), 'FROM scratch\n');
});

test('distributionSources reads both formats and leaves out other suites and vendors', () => {
  mkdirSync(join(directory, 'sources.list.d'));
  writeFileSync(
    join(directory, 'sources.list'),
    'deb http://mirror/debian bookworm main contrib # comment\n#deb http://off bookworm main\ndeb-src http://mirror/debian bookworm main\n',
  );
  writeFileSync(join(directory, 'sources.list.d/vendor.list'), 'deb [arch=amd64] https://vendor/node nodistro main\n');
  writeFileSync(
    join(directory, 'sources.list.d/debian.sources'),
    'Types: deb deb-src\n# a comment\nURIs: http://security\nSuites: bookworm-security trixie\nComponents: main\nSigned-By: /k.gpg\n\nTypes: deb\nEnabled: no\nURIs: http://off\nSuites: bookworm\nComponents: main\n',
  );
  assert.deepEqual(distributionSources(directory, 'bookworm'), [
    'deb http://mirror/debian bookworm main contrib',
    'deb [signed-by=/k.gpg] http://security bookworm-security main',
  ]);
});

test('machineLimits offers a part of what the machine has', async () => {
  const limitsOf = (info) => withEngine((_, response) => response.end(JSON.stringify(info)), machineLimits);
  const machine = { MemTotal: 24 * 1024 ** 3, NCPU: 8, DockerRootDir: '/nowhere' };
  assert.deepEqual(await limitsOf(machine), { MAX_SESSION_MEMORY: '4g', MAX_SESSION_CPUS: '4' });
  assert.deepEqual(await limitsOf({ MemTotal: 3 * 1024 ** 3, NCPU: 1 }), { MAX_SESSION_MEMORY: '512m', MAX_SESSION_CPUS: '1' });
  assert.deepEqual(await limitsOf({}), {});
  const { MAX_SESSION_DISK } = await limitsOf({ ...machine, DockerRootDir: directory });
  assert.match(MAX_SESSION_DISK, /^\d+[gm]$/);
  assert.deepEqual(await withEngine((_, response) => response.writeHead(500).end(), machineLimits), {});
});
