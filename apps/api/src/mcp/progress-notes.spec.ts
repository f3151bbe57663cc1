import { ProgressNotes } from './progress-notes';

type Note = [progress: number, message?: string];

let notes: Note[];
let behind: boolean;

function start(): ProgressNotes {
  notes = [];
  behind = false;
  return new ProgressNotes(
    (...note) => void notes.push(note),
    () => behind,
  );
}

describe('ProgressNotes', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('sends the first output at once, and later output in steps, when a command writes', () => {
    const progress = start();
    progress.add('a');
    progress.add('b');
    progress.add('c');
    expect(notes).toEqual([[1, 'a']]);
    jest.advanceTimersByTime(1_000);
    expect(notes).toEqual([
      [1, 'a'],
      [3, 'bc'],
    ]);
    progress.endNotes();
  });

  it('sends a note with a growing number every ten seconds or sooner when there is no output', () => {
    const progress = start();
    progress.add('text');
    for (let silence = 0; silence < 5; silence++) {
      const before = notes.length;
      jest.advanceTimersByTime(9_999);
      expect(notes.length).toBeGreaterThan(before);
    }
    progress.add('more');
    expect(notes.at(-1)![1]).toBe('more');
    for (const [i, [number]] of notes.entries()) expect(number).toBeGreaterThan(notes[i - 1]?.[0] ?? 0);
    progress.endNotes();
  });

  it('sends no empty note when there is output', () => {
    const progress = start();
    for (let second = 0; second < 20; second++) {
      progress.add('x');
      jest.advanceTimersByTime(1_000);
    }
    expect(notes.filter(([, message]) => message === undefined)).toEqual([]);
    progress.endNotes();
  });

  it('sends nothing, and then the newest output, when the client was behind', () => {
    const progress = start();
    behind = true;
    progress.add('old ');
    jest.advanceTimersByTime(60_000);
    expect(notes).toEqual([]);
    progress.add('new');
    behind = false;
    jest.advanceTimersByTime(1_000);
    expect(notes).toEqual([[7, 'old new']]);
    progress.endNotes();
  });

  it('sends nothing when it has ended', () => {
    const progress = start();
    progress.add('a');
    progress.add('b');
    progress.endNotes();
    jest.advanceTimersByTime(60_000);
    expect(notes).toEqual([[1, 'a']]);
    expect(jest.getTimerCount()).toBe(0);
  });
});
