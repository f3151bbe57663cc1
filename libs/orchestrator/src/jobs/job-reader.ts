import { OutputText } from '../commands/output-text';
import { continuationPrefix } from '@sandbox/text';
import type { JobStream, StreamPart } from '../keepers/job-answers';

/** Where a reader of both streams stands. */
export type JobOffsets = Readonly<Record<JobStream, number>>;

export interface JobWatcher {
  /** The next piece of a stream, with where to go on after it. While a promise is pending nothing more is read. */
  output(stream: JobStream, data: string, next: JobOffsets): void | Promise<void>;
  /** Bytes of a stream that were dropped before they were read. */
  gap(stream: JobStream, bytes: number, next: JobOffsets): void | Promise<void>;
}

/** Follows a job's streams: where it stands in each, and what its watcher is told of what was read. */
export class JobReader {
  private readonly offsets: Record<JobStream, number>;
  private readonly texts: Record<JobStream, OutputText>;
  private readonly open: Set<JobStream>;

  constructor(
    from: JobOffsets,
    streams: readonly JobStream[],
    private readonly encoding: 'utf8' | 'base64',
    private readonly watcher: JobWatcher,
  ) {
    this.offsets = { ...from };
    this.texts = { stdout: new OutputText(encoding), stderr: new OutputText(encoding) };
    this.open = new Set(streams);
  }

  /** All of every stream was given. */
  get done(): boolean {
    return this.open.size === 0;
  }

  /** What is to be read next, by stream. */
  get wanted(): Partial<Record<JobStream, number>> {
    return Object.fromEntries([...this.open].map((stream) => [stream, this.offsets[stream]]));
  }

  async take(bytes: Record<JobStream, Buffer>, parts: Partial<Record<JobStream, StreamPart>>): Promise<void> {
    for (const stream of [...this.open]) {
      const { nextOffset, gap: dropped, eof } = parts[stream]!;
      // What is left of a character whose beginning was dropped is of no use.
      const lost = dropped > 0 && this.encoding === 'utf8' ? continuationPrefix(bytes[stream]) : 0;
      const gap = dropped + lost;
      if (eof) this.open.delete(stream);
      if (gap > 0) {
        // The rest of a character that was begun before is among what is gone.
        this.texts[stream].end();
        // A reader that goes on after the gap still needs the bytes that came with it.
        this.offsets[stream] += gap;
        await this.watcher.gap(stream, gap, this.next());
      }
      this.offsets[stream] = nextOffset;
      const text = this.texts[stream].add(bytes[stream].subarray(lost)) + (eof ? this.texts[stream].end() : '');
      if (text !== '') await this.watcher.output(stream, text, this.next());
    }
  }

  /** Where to go on after what was given: before a character of which only the beginning has come. */
  private next(): JobOffsets {
    const { stdout, stderr } = this.offsets;
    return { stdout: stdout - this.texts.stdout.pending, stderr: stderr - this.texts.stderr.pending };
  }
}
