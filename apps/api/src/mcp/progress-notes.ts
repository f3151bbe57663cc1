import { lastCharacters } from '@sandbox/text';

/** The shortest time between two notes with text. */
const INTERVAL_MS = 100;
/**
 * After this long without output, a note without text goes out, because clients wait on while notes
 * come. It is shorter than the silence after which HttpExchange sends something.
 */
const SILENCE_MS = 8_000;
/** A note shows at most this many of the last characters of output. */
const MAX_CHARACTERS = 4_000;

/**
 * Sends what a running command writes as progress notifications (MCP, basic/utilities/progress).
 * The first output goes out at once, later output in steps. While the command writes nothing, notes
 * have no text.
 */
export class ProgressNotes {
  private text = '';
  /** Counts characters and silences. It grows with every note, as the protocol requires. */
  private total = 0;
  private timer: NodeJS.Timeout | null = null;
  private readonly silence: NodeJS.Timeout;

  /**
   * @param isBehind whether the client has not yet read the notes so far. Until it has, it gets no
   *   notes, and then the newest.
   */
  constructor(
    private readonly send: (progress: number, message?: string) => void,
    private readonly isBehind: () => boolean = () => false,
  ) {
    this.silence = setInterval(() => this.breakSilence(), SILENCE_MS).unref();
  }

  readonly add = (text: string): void => {
    if (text === '') return;
    this.total += text.length;
    this.text = lastCharacters(this.text + text, MAX_CHARACTERS);
    if (this.timer === null) this.flush();
  };

  /** Stops the notes: none may follow the result. */
  endNotes(): void {
    clearInterval(this.silence);
    if (this.timer !== null) clearTimeout(this.timer);
    this.text = '';
    this.timer = null;
  }

  private flush(): void {
    this.timer = null;
    if (this.text === '') return;
    if (!this.isBehind()) {
      this.send(this.total, this.text);
      this.text = '';
      this.silence.refresh();
    }
    this.timer = setTimeout(() => this.flush(), INTERVAL_MS).unref();
  }

  private breakSilence(): void {
    if (!this.isBehind()) this.send(++this.total);
  }
}
