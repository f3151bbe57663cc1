import { fuzz, type Random } from '../../../test/support/fuzzing';
import { FirstBytes } from './first-bytes';
import { clientHello, extension, inRecords, serverNameExtension } from './testing/client-hello';

const NAME = 'pypi.org';
const NAMES = [NAME, 'PyPI.org', 'evil.example', 'pypi.org.evil.example', 'xn--a.example', 'a'.repeat(63)];

/** @returns a hello for `name`, with other extensions around it, split over records of some size */
function someHello(random: Random, name: string): Buffer {
  const others = (): Buffer[] =>
    Array.from({ length: random(4) }, () => extension(1 + random(60), Buffer.from(Array.from({ length: random(200) }, () => random(256)))));
  const most = [1, 2, 3, 5, 40, 16_384][random(6)]! + random(3);
  return inRecords(clientHello([...others(), serverNameExtension(name), ...others()]), Math.min(most, 16_384));
}

function someRequest(random: Random, name: string): Buffer {
  const field = (): string => `X-${random(100)}: ${'v'.repeat(random(50))}\r\n`;
  const fields = Array.from({ length: random(5) }, field);
  fields.splice(
    random(fields.length + 1),
    0,
    `${['Host', 'host', 'HOST'][random(3)]!}:${' '.repeat(random(3))}${name}${['', ':80'][random(2)]!}\r\n`,
  );
  return Buffer.from(`${['GET', 'POST', 'HEAD'][random(3)]!} /${'p'.repeat(random(100))} HTTP/1.${random(2)}\r\n${fields.join('')}\r\n`);
}

/** @returns the bytes with some of them changed, taken out, doubled, or cut off */
function damaged(random: Random, bytes: Buffer): Buffer {
  let copy = Buffer.from(bytes);
  for (let change = 0; change <= random(3); change++) {
    const at = random(copy.length + 1);
    const kind = random(4);
    if (kind === 0 && at < copy.length) copy[at] = random(256);
    else if (kind === 1) copy = Buffer.concat([copy.subarray(0, at), copy.subarray(at + 1 + random(8))]);
    else if (kind === 2) copy = Buffer.concat([copy.subarray(0, at), copy.subarray(Math.max(0, at - random(40)))]);
    else copy = copy.subarray(0, at);
  }
  return copy;
}

/** Pushes the bytes in pieces of random sizes, and then ends. */
function outcomeOf(random: Random, port: number, bytes: Buffer): { outcome: unknown; released: Buffer } {
  const first = new FirstBytes(NAME, port);
  let [outcome, at]: [unknown, number] = ['more', 0];
  while (outcome === 'more' && at < bytes.length) {
    const end = at + 1 + random(random(2) === 0 ? 3 : 400);
    outcome = first.push(bytes.subarray(at, end));
    at = Math.min(end, bytes.length);
  }
  if (outcome === 'more') outcome = first.end();
  return { outcome, released: first.takeBytes() };
}

describe('first bytes at random', () => {
  it('pass if and only if they are for the name, in whatever pieces they come', async () => {
    await fuzz(2_000, (random) => {
      const name = NAMES[random(NAMES.length)]!;
      const isTls = random(2) === 0;
      const bytes = isTls ? someHello(random, name) : someRequest(random, name);
      const port = isTls ? [80, 443, 8443][random(3)]! : 80;
      const { outcome, released } = outcomeOf(random, port, Buffer.concat([bytes, Buffer.from('body')]));
      if (name.toLowerCase() === NAME) {
        expect(outcome).toBe('pass');
        expect(Buffer.concat([bytes, Buffer.from('body')]).subarray(0, released.length)).toEqual(released);
      } else
        expect([outcome, released.length]).toEqual([{ host: NAME, port, reason: isTls ? 'tls_name_mismatch' : 'http_host_mismatch' }, 0]);
    });
  });

  it('leave only if a reader finds the name in them when they are damaged', async () => {
    await fuzz(4_000, (random) => {
      const isTls = random(2) === 0;
      const bytes = damaged(random, isTls ? someHello(random, NAME) : someRequest(random, NAME));
      const port = isTls ? 443 : 80;
      const { outcome, released } = outcomeOf(random, port, bytes);
      if (outcome !== 'pass') expect(released).toHaveLength(0);
      else if (port === 80 && released[0] !== 22) expect(hostsByTheBook(released)).toEqual(released.length === 0 ? [] : [NAME]);
      else if (released[0] === 22) expect(namesByTheBook(released)).toEqual([NAME]);
    });
  });

  it('get the same answer in any pieces, whatever they are', async () => {
    await fuzz(4_000, (random) => {
      const bytes = Buffer.from(
        Array.from({ length: 1 + random(60) }, (_, at) => (random(4) === 0 ? random(256) : [22, 3, 1, 0, 50, 1, 0, 0, 46][at % 9]!)),
      );
      const port = [80, 443, 5432][random(3)]!;
      const whole = new FirstBytes(NAME, port);
      expect(outcomeOf(random, port, bytes).outcome).toEqual(whole.push(bytes) === 'more' ? whole.end() : whole.push(bytes));
    });
  });
});

/** Finds the Host fields as simply as possible, taking every line ending that some server takes. */
function hostsByTheBook(bytes: Buffer): string[] {
  const head = bytes.toString('latin1').split(/\r\n\r\n|\n\n|\r\r/)[0]!;
  const lines = head.split(/\r\n|\r|\n/).slice(1);
  return lines.flatMap((line) => /^\s*host\s*:\s*(.*?)\s*(?::80)?\s*$/i.exec(line)?.[1]?.toLowerCase() ?? []);
}

/** Finds every host name that stands in the hello as a server name extension. */
function namesByTheBook(bytes: Buffer): string[] {
  const fragments: Buffer[] = [];
  for (let at = 0; at + 5 <= bytes.length && bytes[at] === 22; at += 5 + bytes.readUInt16BE(at + 3)) {
    fragments.push(bytes.subarray(at + 5, at + 5 + bytes.readUInt16BE(at + 3)));
  }
  const hello = Buffer.concat(fragments);
  let at = 4 + 34;
  at += 1 + hello[at]!;
  at += 2 + hello.readUInt16BE(at);
  at += 1 + hello[at]!;
  const end = at + 2 + hello.readUInt16BE(at);
  const names: string[] = [];
  for (at += 2; at < end; at += 4 + hello.readUInt16BE(at + 2)) {
    if (hello.readUInt16BE(at) === 0) names.push(hello.toString('latin1', at + 9, at + 4 + hello.readUInt16BE(at + 2)).toLowerCase());
  }
  return names;
}
