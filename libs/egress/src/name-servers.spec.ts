import { Resolver } from 'node:dns';
import { parseNameServers } from './name-servers';

describe('parseNameServers', () => {
  it.each(['10.0.0.53', '127.0.0.1:5353', 'fd00::53', '[fd00::53]', '[fd00::53]:5353', '10.0.0.53:65535'])(
    'reads %s as Node does',
    (server) => {
      expect(parseNameServers([` ${server} `])).toEqual([server]);
      expect(() => new Resolver().setServers([server])).not.toThrow();
    },
  );

  it.each([
    '',
    'dns.example',
    '10.0.0',
    '10.0.0.53:',
    '10.0.0.53:0',
    '10.0.0.53:65536',
    '[10.0.0.53]:53',
    'fe80::1%eth0',
    '[fe80::1%eth0]',
    '10.0.0.53 ,',
    'https://10.0.0.53',
  ])('refuses %j, and names it', (server) => {
    expect(() => parseNameServers(['10.0.0.53', server])).toThrow(`${JSON.stringify(server)} is no name server`);
  });

  it('takes eight servers and refuses one more', () => {
    expect(parseNameServers(Array(8).fill('10.0.0.53'))).toHaveLength(8);
    expect(() => parseNameServers(Array(9).fill('10.0.0.53'))).toThrow('at most 8');
  });
});
