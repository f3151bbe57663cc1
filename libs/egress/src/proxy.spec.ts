import { parseProxy } from './proxy';

describe('parseProxy', () => {
  it.each([
    ['http://proxy.example:3128', { isSecure: false, host: 'proxy.example', port: 3128 }],
    ['http://proxy.example/', { isSecure: false, host: 'proxy.example', port: 80 }],
    ['https://proxy.example', { isSecure: true, host: 'proxy.example', port: 443 }],
    ['http://[fd00::1]:3128', { isSecure: false, host: 'fd00::1', port: 3128 }],
    ['http://me:pass@10.0.0.1:3128', { isSecure: false, host: '10.0.0.1', port: 3128, authorization: 'Basic bWU6cGFzcw==' }],
    [
      'http://me:p%40ss%C3%A9@10.0.0.1',
      { isSecure: false, host: '10.0.0.1', port: 80, authorization: `Basic ${Buffer.from('me:p@ssé').toString('base64')}` },
    ],
    ['http://token@10.0.0.1', { isSecure: false, host: '10.0.0.1', port: 80, authorization: 'Basic dG9rZW46' }],
  ])('reads %s', (text, proxy) => {
    expect(parseProxy(text)).toEqual(proxy);
  });

  it.each([
    '',
    'proxy.example:3128',
    'socks5://me:secret@proxy.example',
    'http://me:secret@',
    'http://me:secret@proxy.example/path',
    'http://me:secret@proxy.example?a',
    'http://me:secret@proxy.example#a',
    'http://me:secret%@proxy.example',
    'http://me:secret@proxy.example:99999',
  ])('refuses %j, and does not repeat it', (text) => {
    expect(() => parseProxy(text)).toThrow(/^(?!.*secret)(?:must be a URL|has a "%")/s);
  });
});
