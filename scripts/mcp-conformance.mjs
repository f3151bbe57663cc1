#!/usr/bin/env node
/**
 * Runs the server scenarios of the official MCP conformance suite against a running API.
 *
 *     API_KEY=… node scripts/mcp-conformance.mjs URL ORIGIN
 *
 * URL is the MCP endpoint (http://127.0.0.1:8000/mcp), ORIGIN one of its ALLOWED_ORIGINS. Exits
 * with 0 if every scenario that applies passes and every other one still fails. On first use, the
 * suite is installed from the npm registry into node_modules/.cache.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const SUITE = '@modelcontextprotocol/conformance@0.1.16';
/** The suite needs this version of Node. The product itself runs on older ones. */
const SUITE_NODE_MAJOR = 22;
const CACHE = resolve(import.meta.dirname, '../node_modules/.cache/mcp-conformance');

const NO_SUCH_TOOL = 'calls a tool that only the suite’s reference server has';
const NO_RESOURCES = 'reads a resource that only the suite’s reference server has';
const NO_PROMPTS = 'the server offers no prompts';
const ONE_WAY = 'the server is stateless and asks its clients nothing';

/**
 * Scenarios of features that this server does not offer. One that begins to pass is an error too,
 * because then the list is out of date.
 */
const NOT_APPLICABLE = {
  'logging-set-level': 'the server sends no log messages',
  'completion-complete': 'the server offers no completions',
  'tools-call-simple-text': NO_SUCH_TOOL,
  'tools-call-image': NO_SUCH_TOOL,
  'tools-call-audio': NO_SUCH_TOOL,
  'tools-call-embedded-resource': NO_SUCH_TOOL,
  'tools-call-mixed-content': NO_SUCH_TOOL,
  'tools-call-error': NO_SUCH_TOOL,
  'tools-call-with-logging': 'the server sends no log messages',
  'tools-call-with-progress': NO_SUCH_TOOL,
  'tools-call-sampling': ONE_WAY,
  'tools-call-elicitation': ONE_WAY,
  'elicitation-sep1034-defaults': ONE_WAY,
  'elicitation-sep1330-enums': ONE_WAY,
  'json-schema-2020-12': NO_SUCH_TOOL,
  'resources-read-text': NO_RESOURCES,
  'resources-read-binary': NO_RESOURCES,
  'resources-templates-read': NO_RESOURCES,
  'resources-subscribe': ONE_WAY,
  'resources-unsubscribe': ONE_WAY,
  'prompts-get-simple': NO_PROMPTS,
  'prompts-get-with-args': NO_PROMPTS,
  'prompts-get-embedded-resource': NO_PROMPTS,
  'prompts-get-with-image': NO_PROMPTS,
};

const apiKey = process.env.API_KEY;
const [url, origin] = process.argv.slice(2);
if (!apiKey || !url || !origin) {
  console.error('usage: API_KEY=… node scripts/mcp-conformance.mjs URL ORIGIN');
  process.exit(2);
}
process.exitCode = await main();

async function main() {
  await install();
  const proxy = await startProxy(new URL(url));
  const results = mkdtempSync(join(tmpdir(), 'mcp-conformance-'));
  try {
    const baseline = join(results, 'expected-failures.yml');
    writeFileSync(baseline, ['server:', ...Object.keys(NOT_APPLICABLE).map((scenario) => `  - ${scenario}`), ''].join('\n'));
    const endpoint = `http://127.0.0.1:${proxy.address().port}${new URL(url).pathname}`;
    return await run(suiteNode(), [
      join(CACHE, 'node_modules/@modelcontextprotocol/conformance/dist/index.js'),
      ...['server', '--suite', 'all', '--url', endpoint, '--expected-failures', baseline, '--output-dir', results],
    ]);
  } finally {
    proxy.close();
    proxy.closeAllConnections();
    rmSync(results, { recursive: true, force: true });
  }
}

function nodeIsNewEnough() {
  return Number(process.versions.node.split('.')[0]) >= SUITE_NODE_MAJOR;
}

function suiteNode() {
  return nodeIsNewEnough() ? process.execPath : join(CACHE, 'node_modules/node/bin/node');
}

async function install() {
  const marker = join(CACHE, `${SUITE.replaceAll('/', '+')}-node-${suiteNode() === process.execPath ? 'own' : SUITE_NODE_MAJOR}.installed`);
  if (existsSync(marker)) return;
  mkdirSync(CACHE, { recursive: true });
  writeFileSync(join(CACHE, 'package.json'), '{ "private": true }\n');
  // The npm package `node` brings its own Node.
  const packages = nodeIsNewEnough() ? [SUITE] : [SUITE, `node@${SUITE_NODE_MAJOR}`];
  const code = await run('npm', ['install', '--prefix', CACHE, '--no-audit', '--no-fund', '--loglevel=error', ...packages]);
  if (code !== 0) throw new Error('the conformance suite could not be installed from the npm registry');
  writeFileSync(marker, '');
}

/**
 * Starts a proxy, because the suite cannot send a credential. The proxy adds one, and replaces its
 * own origin with one that the API allows.
 */
async function startProxy(target) {
  const server = http.createServer((incoming, outgoing) => {
    const { port } = server.address();
    const headers = { ...incoming.headers, 'x-api-key': apiKey };
    if (headers.origin === `http://127.0.0.1:${port}`) headers.origin = origin;
    const forwarded = http.request(target, { method: incoming.method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
    });
    forwarded.on('error', () => outgoing.destroy());
    outgoing.on('close', () => forwarded.destroy());
    incoming.pipe(forwarded);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function run(command, args) {
  const child = spawn(command, args, { stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  return code ?? 1;
}
