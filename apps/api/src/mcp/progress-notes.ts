/** Apart, at least, milliseconds. */
const INTERVAL_MS = 100;
/** Of the output since the last note its end is told, characters. */
const MAX_CHARACTERS = 4_000;

/** What a command writes while it runs, as progress notifications (MCP, basic/utilities/progress): at once, then in steps. */
export class ProgressNotes {
  private text = '';
  /** Characters in all: a number that grows with every note, as the protocol wants it. */
  private total = 0;
  private timer: NodeJS.Timeout | null = null;

  /** @param isBehind the client has not taken the notes before: it gets none meanwhile, and then the newest */
  constructor(
    private readonly send: (progress: number, message: string) => void,
    private readonly isBehind: () => boolean = () => false,
  ) {}

  readonly add = (text: string): void => {
    if (text === '') return;
    this.total += text.length;
    this.text = (this.text + text).slice(-MAX_CHARACTERS);
    if (this.timer === null) this.flush();
  };

  /** No note follows the result. */
  end(): void {
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
    }
    this.timer = setTimeout(() => this.flush(), INTERVAL_MS).unref();
  }
}
