import { OutputText } from '../commands/output-text';
import { continuationPrefix } from '@sandbox/text';
import type { JobStream, StreamPart } from '../keepers/job-answers';

/** The offset of the next byte that a reader needs, by stream. */
export type JobOffsets = Readonly<Record<JobStream, number>>;

/** Receives what a JobReader reads. While a returned promise is pending, nothing more is read. */
export interface JobWatcher {
  /**
   * Takes the next piece of a stream.
   * @param next where to continue after this piece
   */
  output(stream: JobStream, data: string, next: JobOffsets): void | Promise<void>;
  /** Learns that bytes of a stream were dropped before they were read. */
  gap(stream: JobStream, bytes: number, next: JobOffsets): void | Promise<void>;
}

/**
 * Follows a job's streams. It keeps the position in each stream and hands what was read to the
 * watcher.
 */
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

  /** Whether every stream was given to its end. */
  get done(): boolean {
    return this.open.size === 0;
  }

  /** The offset to read next, for each stream that has not ended. */
  get wanted(): Partial<Record<JobStream, number>> {
    return Object.fromEntries([...this.open].map((stream) => [stream, this.offsets[stream]]));
  }

  /** Takes what one read brought, and tells the watcher. */
  async takeOutput(bytes: Record<JobStream, Buffer>, parts: Partial<Record<JobStream, StreamPart>>): Promise<void> {
    for (const stream of [...this.open]) {
      const { nextOffset, gap: dropped, eof } = parts[stream]!;
      // The rest of a character is useless if its beginning was dropped.
      const lost = dropped > 0 && this.encoding === 'utf8' ? continuationPrefix(bytes[stream]) : 0;
      const gap = dropped + lost;
      if (eof) this.open.delete(stream);
      if (gap > 0) {
        // A character that was begun before is incomplete now: its rest is among the dropped bytes.
        this.texts[stream].endText();
        // A reader that resumes after the gap still needs the bytes that came with it.
        this.offsets[stream] += gap;
        await this.watcher.gap(stream, gap, this.next());
      }
      this.offsets[stream] = nextOffset;
      const text = this.texts[stream].addChunk(bytes[stream].subarray(lost)) + (eof ? this.texts[stream].endText() : '');
      if (text !== '') await this.watcher.output(stream, text, this.next());
    }
  }

  /**
   * @returns where to continue after what was given; before a character of which only a part has
   *   come
   */
  private next(): JobOffsets {
    const { stdout, stderr } = this.offsets;
    return { stdout: stdout - this.texts.stdout.pending, stderr: stderr - this.texts.stderr.pending };
  }
}
