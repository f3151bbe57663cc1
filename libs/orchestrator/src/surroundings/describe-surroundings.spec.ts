import { describeSurroundings } from './describe-surroundings';

const PEM = '-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n';

describe('describeSurroundings', () => {
  it.each([
    [{}, null, null],
    [{ npm: 'https://n.test/', go: 'https://g.test/' }, null, 'Sandboxes take packages from mirrors (npm, go)'],
    [{}, PEM.repeat(2), 'Sandboxes trust more certificates (2)'],
    [{ npm: 'https://n.test/' }, PEM, 'Sandboxes take packages from mirrors (npm) and trust more certificates (1)'],
  ])('says what there is when the mirrors are %j and the certificates %j', (urls, certificates, text) => {
    expect(describeSurroundings({ EGRESS_MIRRORS: { urls, rules: [] }, EGRESS_CA_FILE: certificates })).toBe(text);
  });
});
