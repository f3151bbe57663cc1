import type { HttpAdapterHost } from '@nestjs/core';
import { PreviewHosts } from './preview-hosts';

const TOKEN = '0123456789abcdef0123456789abcdef';
const adapterHost = { httpAdapter: { getHttpServer: () => ({ address: () => ({ port: 8123 }) }) } } as unknown as HttpAdapterHost;
const hosts = (domain = ''): PreviewHosts => new PreviewHosts({ PREVIEW_DOMAIN: domain }, adapterHost);

describe('PreviewHosts', () => {
  it.each([
    ['', `http://80-${TOKEN}.localhost:8123/`],
    ['localhost:9000', `http://80-${TOKEN}.localhost:9000/`],
    ['preview.example.com', `https://80-${TOKEN}.preview.example.com/`],
    ['preview.example.com:8443', `https://80-${TOKEN}.preview.example.com:8443/`],
  ])('makes the URL when PREVIEW_DOMAIN is "%s"', (domain, url) => {
    expect(hosts(domain).urlOf({ port: 80, token: TOKEN })).toBe(url);
  });

  it.each([[`80-${TOKEN}.localhost:8000`], [`80-${TOKEN}.localhost`], [`80-${TOKEN.toUpperCase()}.LOCALHOST:8000`]])(
    'reads the name %s',
    (host) => {
      expect([hosts().owns(host), hosts().parse(host)]).toEqual([true, { port: 80, token: TOKEN }]);
    },
  );

  it.each([
    `80-${TOKEN.slice(1)}.localhost`,
    `80-${TOKEN}0.localhost`,
    `80-${TOKEN.replace('0', 'g')}.localhost`,
    `800000-${TOKEN}.localhost`,
    `80-.localhost`,
    `80-${TOKEN}.localhost.`,
    `a.80-${TOKEN}.localhost`,
    `80-${TOKEN}.localhost:`,
    `80-${TOKEN}.localhost:x`,
  ])('takes %s for a preview that nobody has', (host) => {
    expect([hosts().owns(host), hosts().parse(host)]).toEqual([true, null]);
  });

  it.each([
    'localhost:8000',
    '127.0.0.1:8000',
    '[::1]:8000',
    'api.localhost',
    `80-${TOKEN}.localhost.example.com`,
    'x-1.localhost',
    '',
    undefined,
  ])('leaves %s to the API', (host) => {
    expect(hosts().owns(host)).toBe(false);
  });

  it('takes the dots of the domain for dots', () => {
    const own = hosts('a.example.com');
    expect(['80-x.a.example.com', '80-x.aXexample.com', '80-x.localhost', 'a.example.com'].map((host) => own.owns(host))).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });
});
