import { loadConfig } from '@sandbox/config';
import { outgoingRules } from './outgoing-rules';

const configOf = (allow: string, byDefault = '') =>
  loadConfig({ SESSION_STORE: 'memory', EGRESS_ALLOW: allow, EGRESS_DEFAULT: byDefault }, { needsAuth: false });
const rulesOf = (bound: string, ...allow: string[]) => outgoingRules(configOf(bound), { allow })!;

describe('outgoingRules', () => {
  it.each([
    ['the operator offers nothing', configOf(''), { allow: ['a.org'] }],
    ['the session was given none, and the default is empty', configOf('*'), null],
    ['the session was given an empty list, whatever the default', configOf('*', 'a.org'), { allow: [] }],
    ['a rule is none that this version knows', configOf('*'), { allow: ['a.org', 'http://a.org'] }],
  ])('allows nothing when %s', (_when, config, network) => {
    expect(outgoingRules(config, network)).toBeNull();
  });

  it('has the default’s rules when the session was given none', () => {
    expect(outgoingRules(configOf('*', 'a.org'), null)?.portsOf('a.org')).toEqual([80, 443]);
  });

  it('allows what both the session and the operator allow', () => {
    const rules = rulesOf('*.org, a.org:22', 'a.org:22', 'a.org', 'b.com');
    expect(rules.portsOf('a.org')).toEqual([22, 80, 443]);
    expect(rules.portsOf('b.com')).toEqual([]);
    expect([rules.allows('a.org', 22), rules.allows('a.org', 23), rules.allows('b.com', 443)]).toEqual([true, false, false]);
  });

  describe('with mirrors', () => {
    const mirrored = loadConfig(
      { SESSION_STORE: 'memory', EGRESS_ALLOW: 'packages,a.org', EGRESS_MIRRORS: 'npm=https://n.test:8443/' },
      { needsAuth: false },
    );

    it.each([
      ['has none', null, [8443]],
      ['has `packages`', { allow: ['packages'] }, [8443]],
      ['has rules without them', { allow: ['a.org'] }, []],
      ['has them by name', { allow: ['n.test:8443'] }, [8443]],
      ['has an empty list', { allow: [] }, []],
    ])('allows the mirrors, or not, when the session %s', (_what, network, ports) => {
      expect(outgoingRules(mirrored, network)?.portsOf('n.test') ?? []).toEqual(ports);
    });
  });

  it.each([
    ['a name that the session lacks', 'c.org', null, { reason: 'name_not_allowed', rule: 'c.org' }],
    ['a port that the session lacks', 'a.org', 22, { reason: 'port_not_allowed', rule: 'a.org:22' }],
    ['a name that the operator lacks', 'b.com', 443, { reason: 'name_not_allowed' }],
    ['a port that the operator lacks', 'a.org', 23, { reason: 'port_not_allowed' }],
  ])('names the rule that is missing, if the operator offers it, when it refuses %s', (_what, host, port, expected) => {
    expect(rulesOf('*.org, *.org:22', 'a.org').denialOf(host, port)).toEqual({ host, port, ...expected });
  });
});
