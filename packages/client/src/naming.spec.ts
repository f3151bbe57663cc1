import { camelCased, snakeCased } from './naming.ts';

describe('The names of fields', () => {
  it('become camelCase in an answer, in lists and objects too, but not those of the caller', () => {
    expect(camelCased({ exit_code: 0, network_denied: [{ some_host: null }], metadata: { my_key: 'a_b' }, env: { A_B: '' } })).toEqual({
      exitCode: 0,
      networkDenied: [{ someHost: null }],
      metadata: { my_key: 'a_b' },
      env: { A_B: '' },
    });
  });

  it('become snake_case in a request, without what is undefined', () => {
    expect(snakeCased({ ttlSeconds: 60, env: { myKey: 'a' }, image: undefined, network: { allow: ['a'] } })).toEqual({
      ttl_seconds: 60,
      env: { myKey: 'a' },
      network: { allow: ['a'] },
    });
  });
});
