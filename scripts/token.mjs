#!/usr/bin/env node
// Prints a JWT for testing: npm run token -- --sub alice [--minutes 60]
// Or a new API key, for API_KEYS: npm run token -- --key
import { createHmac } from 'node:crypto';
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { newApiKey } from './new-api-key.mjs';

const USAGE = 'Usage: npm run token -- --sub NAME [--minutes 60], or npm run token -- --key';
const HASHES = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' };
const MIN_SECRET_BYTES = 32;
const MAX_SUBJECT_LENGTH = 256;
const MAX_MINUTES = 60 * 24 * 365;

function fail(message) {
  console.error(message);
  process.exit(1);
}

function readArguments() {
  try {
    const options = { sub: { type: 'string' }, minutes: { type: 'string' }, key: { type: 'boolean', default: false } };
    const { key, sub = '', minutes } = parseArgs({ options }).values;
    if (key && (sub !== '' || minutes !== undefined)) fail(USAGE);
    return { key, subject: sub, minutes: Number(minutes ?? 60) };
  } catch (error) {
    return fail(`${error.message}\n${USAGE}`);
  }
}

/** Reads the key as the service does: from the environment, then from .env. */
function readKey() {
  if (existsSync('.env')) process.loadEnvFile('.env');
  const secret = process.env.JWT_SECRET?.trim() ?? '';
  const algorithm = process.env.JWT_ALGORITHM?.trim() || 'HS256';
  if (secret === '' || secret === 'change-me-in-production') fail('Bearer tokens are off: set JWT_SECRET in the environment or in .env.');
  if (Buffer.byteLength(secret) < MIN_SECRET_BYTES) fail(`JWT_SECRET must have at least ${MIN_SECRET_BYTES} bytes.`);
  if (!Object.hasOwn(HASHES, algorithm)) fail(`JWT_ALGORITHM must be one of ${Object.keys(HASHES).join(', ')}.`);
  return { secret, algorithm };
}

function sign(claims, { secret, algorithm }) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const content = `${encode({ alg: algorithm, typ: 'JWT' })}.${encode(claims)}`;
  return `${content}.${createHmac(HASHES[algorithm], secret).update(content).digest('base64url')}`;
}

const { key, subject, minutes } = readArguments();
if (key) {
  console.log(newApiKey());
  process.exit(0);
}
if (subject === '' || subject.length > MAX_SUBJECT_LENGTH) fail(USAGE);
if (!(minutes > 0 && minutes <= MAX_MINUTES)) fail(`--minutes must be a number up to ${MAX_MINUTES}.\n${USAGE}`);
const now = Math.floor(Date.now() / 1000);
console.log(sign({ sub: subject, iat: now, exp: now + Math.round(minutes * 60) }, readKey()));
