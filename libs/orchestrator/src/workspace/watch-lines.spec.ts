import { parseWatchLine } from './watch-lines';

const BASE64 = Buffer.from([0x63, 0xe9]).toString('base64');

describe('parseWatchLine', () => {
  it.each([
    ['{"ready":true}', { kind: 'ready' }],
    ['{"type":"create","is_dir":true,"path":"a"}', { kind: 'change', change: { type: 'create', is_dir: true, path: 'a' } }],
    [
      `{"type":"modify","is_dir":false,"path_base64":"${BASE64}"}`,
      { kind: 'change', change: { type: 'modify', is_dir: false, path: 'c\ufffd', path_base64: BASE64 } },
    ],
    [
      `{"type":"rename","is_dir":false,"path":"b","from_base64":"${BASE64}"}`,
      { kind: 'change', change: { type: 'rename', is_dir: false, path: 'b', from: 'c\ufffd', from_base64: BASE64 } },
    ],
    [
      '{"type":"remove","is_dir":false,"path":"a","from":"b","more":1}',
      { kind: 'change', change: { type: 'remove', is_dir: false, path: 'a' } },
    ],
    ['{"lost":"overflow"}', { kind: 'lost', lost: { reason: 'overflow' } }],
    ['{"lost":"too_deep","path":""}', { kind: 'lost', lost: { reason: 'too_deep', path: '' } }],
    ['{"type":"chmod","is_dir":false,"path":"\\ud800"}', { kind: 'change', change: { type: 'chmod', is_dir: false, path: '\ufffd' } }],
  ])('reads %s', (line, found) => {
    expect(parseWatchLine(Buffer.from(line))).toEqual(found);
  });

  it.each([
    '',
    'null',
    '[]',
    '{}',
    '{"ready":false}',
    '{"type":"read","is_dir":false,"path":"a"}',
    '{"type":"create","is_dir":0,"path":"a"}',
    '{"type":"create","is_dir":false}',
    '{"type":"create","is_dir":false,"path":1}',
    '{"type":"create","is_dir":false,"path_base64":"?"}',
    '{"type":"rename","is_dir":false,"path":"a"}',
    '{"lost":"all"}',
    '{"lost":"too_deep","path":[]}',
  ])('refuses %s', (line) => {
    expect(() => parseWatchLine(Buffer.from(line))).toThrow(expect.objectContaining({ code: 'SANDBOX_LOST' }));
  });
});
