import { denial } from './denial';

describe('denial', () => {
  it.each([
    ['pypi.org', 443, 'name_not_allowed', 'pypi.org'],
    ['db.example', 5432, 'name_not_allowed', 'db.example:5432'],
    ['pypi.org', 22, 'port_not_allowed', 'pypi.org:22'],
  ] as const)('of %s on port %i because of %s names the rule %s', (host, port, reason, rule) => {
    expect(denial(host, port, reason)).toEqual({ host, port, reason, rule });
  });

  it('names no rule when no rule would help', () => {
    expect(denial('pypi.org', 443, 'tls_name_mismatch')).toEqual({ host: 'pypi.org', port: 443, reason: 'tls_name_mismatch' });
  });
});
