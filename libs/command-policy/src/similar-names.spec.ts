import { similarNames } from './similar-names';

const ALLOWED = ['cat', 'curl', 'ls', 'mkdir', 'node', 'npm', 'pip', 'pip3', 'python', 'python3', 'pytest'];

describe('similarNames', () => {
  it.each([
    ['pytohn', ['python']],
    ['python3.12', ['python', 'python3']],
    ['/usr/bin/nodejs', ['node']],
    ['pipp', ['pip', 'pip3']],
    ['l', []],
    ['kubectl', []],
    ['x'.repeat(30_000), []],
  ])('finds for %.20s the names %j', (word, names) => {
    expect(similarNames(word, ALLOWED)).toEqual(names);
  });

  it('gives at most five names when more are similar', () => {
    const many = Array.from({ length: 20 }, (_, index) => `tool${index}`);
    expect(similarNames('tool', many)).toHaveLength(5);
  });
});
