import { EventEmitter } from 'node:events';
import type { Server } from 'node:http';
import { endUnreadAnswers } from './unread-answers';

describe('endUnreadAnswers', () => {
  const answer = (writableLength: number) => Object.assign(new EventEmitter(), { writableLength, destroy: jest.fn() });
  const server = new EventEmitter();

  beforeAll(() => {
    jest.useFakeTimers();
    endUnreadAnswers(server as Server);
  });
  afterAll(() => jest.useRealTimers());

  it('closes after twenty seconds, or later for a large answer, when the client does not read it', () => {
    const [small, large, taken, gone] = [answer(1), answer(2_560_000), answer(0), answer(1)];
    for (const each of [small, large, taken, gone]) {
      server.emit('request', {}, each);
      each.emit('prefinish');
    }
    gone.emit('close');
    jest.advanceTimersByTime(19_999);
    expect(small.destroy).not.toHaveBeenCalled();
    jest.advanceTimersByTime(2);
    expect(small.destroy).toHaveBeenCalledTimes(1);
    expect(large.destroy).not.toHaveBeenCalled();
    jest.advanceTimersByTime(10_000);
    expect(large.destroy).toHaveBeenCalledTimes(1);
    expect([taken, gone].map(({ destroy }) => destroy.mock.calls.length)).toEqual([0, 0]);
  });
});
