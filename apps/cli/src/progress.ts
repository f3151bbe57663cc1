import { Transform } from 'node:stream';
import type { SingleBar } from 'cli-progress';

const MIB = 1024 ** 2;
/** Less than this is there before anybody has looked. */
const WORTH_SHOWING_BYTES = 4 * MIB;

/** Shows how far a transfer is, if somebody looks at a terminal. */
export class Progress {
  private bar: SingleBar | undefined;
  private bytes = 0;
  private loading = false;
  private stopped = false;

  /** @param total bytes; undefined: not known */
  constructor(
    private readonly title: string,
    private readonly total: number | undefined,
  ) {}

  /** Passes bytes on, and counts them. */
  counter(): Transform {
    return new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        this.bytes += chunk.length;
        if (process.stderr.isTTY && this.bytes + (this.total ?? 0) > WORTH_SHOWING_BYTES) this.show();
        done(null, chunk);
      },
    });
  }

  stop(): void {
    this.stopped = true;
    this.bar?.stop();
  }

  private show(): void {
    if (this.bar !== undefined) return this.bar.update(Math.round(this.bytes / MIB));
    if (this.loading) return;
    this.loading = true;
    void import('cli-progress').then(({ SingleBar: Bar }) => {
      if (this.stopped) return;
      const whole = this.total === undefined ? '' : ' of {total}';
      this.bar = new Bar({ format: `${this.title} {bar} {value}${whole} MiB`, stream: process.stderr, clearOnComplete: true });
      this.bar.start(Math.ceil((this.total ?? 0) / MIB), 0);
    });
  }
}
