import { lastCharacters } from '@sandbox/orchestrator';

/** Apart, at least, milliseconds. */
const INTERVAL_MS = 100;
/**
 * Of silence, after which a note goes out without a text, milliseconds: clients wait on for as long
 * as notes come. Sooner than what breaks the silence of other answers, so that it need not.
 */
const SILENCE_MS = 8_000;
/** Of the output since the last note its end is told, characters. */
const MAX_CHARACTERS = 4_000;

/**
 * What a command writes while it runs, as progress notifications (MCP, basic/utilities/progress):
 * at once, then in steps. While it writes nothing, notes come without a text.
 */
export class ProgressNotes {
  private text = '';
  /** Characters in all, and silences: it grows with every note, as the protocol wants it. */
  private total = 0;
  private timer: NodeJS.Timeout | null = null;
  private readonly silence: NodeJS.Timeout;

  /**
   * @param isBehind the client has not taken the notes before: it gets none meanwhile, and then
   * the newest
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

  /** No note follows the result. */
  end(): void {
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
