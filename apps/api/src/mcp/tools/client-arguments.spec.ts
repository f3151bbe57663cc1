import { clientArguments } from './client-arguments';

const SCHEMA = {
  type: 'object',
  properties: {
    session_id: { type: 'string' },
    timeout: { type: 'number' },
    limit: { type: 'integer' },
    background: { type: 'boolean' },
    env: { type: 'object', additionalProperties: { type: 'string' } },
    edits: { type: 'array', items: { type: 'object', properties: { old: { type: 'string' }, all: { type: 'boolean' } } } },
  },
} as const;

describe('clientArguments', () => {
  it.each<[object | string | null, unknown]>([
    [{ timeout: null }, {}],
    [
      { timeout: '10', limit: '0' },
      { timeout: 10, limit: 0 },
    ],
    [{ timeout: '-1.5' }, { timeout: -1.5 }],
    [{ background: 'true' }, { background: true }],
    [{ background: 'False' }, { background: false }],
    [{ session_id: 5 }, { session_id: '5' }],
    [{ env: '{"A":"1"}' }, { env: { A: '1' } }],
    [{ env: { A: 8080, B: null } }, { env: { A: '8080' } }],
    [{ edits: '[{"old":"x","all":"true"}]' }, { edits: [{ old: 'x', all: true }] }],
    [{ edits: ['{"old":"x"}', { old: 7, all: null }] }, { edits: [{ old: 'x' }, { old: '7' }] }],
    [{ toolCallId: 'c', sessionId: 's', chatInput: 'hi', action: 'sendMessage', tool: 't', _meta: {}, limit: 1 }, { limit: 1 }],
  ])('reads %j as %j', (args, meant) => {
    expect(clientArguments(SCHEMA as never, args)).toEqual(meant);
  });

  it.each<[object | string | null]>([
    [{ timeout: '010' }],
    [{ timeout: '1e3' }],
    [{ timeout: ' 1' }],
    [{ timeout: '' }],
    [{ timeout: '1'.repeat(30) }],
    [{ background: 1 }],
    [{ background: 'yes' }],
    [{ session_id: 1.5 }],
    [{ session_id: 2 ** 60 }],
    [{ session_id: true }],
    [{ env: 'A=1' }],
    [{ env: '["A"]' }],
    [{ env: { A: true } }],
    [{ edits: '{"old":"x"}' }],
    [{ cwd: 'x' }],
    [{ constructor: 'x', toString: 'y' }],
    ['text'],
    ['{"limit":"3"}'],
    [null],
  ])('leaves %j to validation', (args) => {
    expect(clientArguments(SCHEMA as never, args)).toEqual(args);
  });
});
