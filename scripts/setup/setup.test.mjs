import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { distributionSources } from './apt.mjs';
import { callEngine, engineAt, imageLabels, runOnEngine, whyNoEngine } from './docker-api.mjs';
import { tarOfOneFile } from './tar.mjs';

const directory = mkdtempSync(join(tmpdir(), 'sandbox-setup-'));
after(() => rmSync(directory, { recursive: true, force: true }));

/** A Docker engine that answers as told, for answers that a real one cannot be made to give. */
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

test('DOCKER_HOST is read as Docker’s clients read it', () => {
  assert.deepEqual(engineAt('unix:///run/x.sock', {}).options, { socketPath: '/run/x.sock' });
  assert.deepEqual(engineAt('tcp://example.com', {}).options, { host: 'example.com', port: 2375 });
  assert.deepEqual(engineAt('tcp://[::1]:99', {}).options, { host: '::1', port: '99' });
  assert.throws(() => engineAt('ssh://example.com', {}), /DOCKER_HOST must begin with/);
});

test('TLS takes its certificates from DOCKER_CERT_PATH', () => {
  for (const name of ['ca', 'cert', 'key']) writeFileSync(join(directory, `${name}.pem`), name);
  const { options } = engineAt('tcp://example.com', { DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: directory });
  assert.equal(options.port, 2376);
  assert.equal(options.key.toString(), 'key');
});

test('an absent engine is told from one that answers', async () => {
  assert.equal(await whyNoEngine(engineAt('unix:///nowhere/docker.sock')), 'ENOENT');
  assert.equal(await withEngine((_, response) => response.end('OK'), whyNoEngine), undefined);
  assert.equal(await withEngine((_, response) => response.writeHead(503).end(), whyNoEngine), 'status 503');
});

test('an engine that falls silent ends in an error', async () => {
  const call = (engine) => callEngine(engine, { path: '/', silenceMs: 50 });
  await assert.rejects(
    withEngine(() => {}, call),
    /no answer from the Docker engine/,
  );
});

test('an image: its labels, or undefined where there is none', async () => {
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

test('an error reported half-way through a build is thrown, though the status is 200', async () => {
  const lines = '{"stream":"Step 1"}\r\n{"errorDetail":{"message":"boom"},"error":"boom"}\r\n';
  const build = (engine) => runOnEngine(engine, { path: '/build', silenceMs: 1_000 });
  await assert.rejects(
    withEngine((_, response) => response.end(lines), build),
    /^Error: boom$/,
  );
});

test('the archive is one that tar reads', () => {
  const archive = join(directory, 'one.tar');
  writeFileSync(archive, tarOfOneFile('Dockerfile', Buffer.from('FROM scratch\n')));
  assert.equal(execFileSync('tar', ['-xOf', archive, 'Dockerfile'], { encoding: 'utf8' }), 'FROM scratch\n');
});

test('package sources: both formats, this suite only, no other vendor', () => {
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
