import { answerOf, type CallOptions, type Connection, type RequestBody } from './connection.ts';
import { NotFoundError } from './errors.ts';
import { type CamelCased, camelCased } from './naming.ts';
import type { components } from './schema.ts';
import { serverEvents } from './server-events.ts';

type Schemas = components['schemas'];

export type FileEntry = CamelCased<Schemas['WorkspaceEntryDto']>;
export type FileInfo = CamelCased<Schemas['WorkspaceStatDto']>;
export type Listing = CamelCased<Schemas['WorkspaceListingDto']>;
export type SearchResult = CamelCased<Schemas['SearchResultDto']>;
export type EditResult = CamelCased<Schemas['EditResultDto']>;
export type TextEdit = Schemas['TextEditDto'];
export type FileContent = string | Uint8Array | ArrayBuffer | Blob | ReadableStream<Uint8Array>;

/** The call is made only if the file is as the caller knows it. Else it throws a ConflictError. */
export interface Conditions extends CallOptions {
  /** Entity tag that the file must have. */
  ifMatch?: string;
  /** `*`: there must be no such file yet. */
  ifNoneMatch?: string;
}

/**
 * What is told of a directory. `ready` comes first: nothing from before is told. After `lost`, some
 * changes are not told. `end` is the last one.
 */
export type WatchEvent =
  | { type: 'ready' }
  | CamelCased<Schemas['ChangeEventDto']>
  | ({ type: 'lost' } & CamelCased<Schemas['LostEventDto']>)
  | ({ type: 'end' } & CamelCased<Schemas['WatchEndDto']>);

export interface ReadOptions extends CallOptions {
  /** First and last line, counted from 1. */
  startLine?: number;
  endLine?: number;
}

export interface SearchOptions extends CallOptions {
  /** Where to look. Default: the whole workspace. */
  path?: string;
  /** Which files, such as `**` + `/*.ts`. */
  glob?: string;
  /** Regular expression, as Python has them. Without it, files are found and not lines. */
  pattern?: string;
  limit?: number;
}

/** What `read` returns, by its `format`. */
interface Formats {
  text: string;
  bytes: Uint8Array;
  blob: Blob;
  stream: ReadableStream<Uint8Array>;
}

/** The files of a sandbox. A relative path begins at `/workspace`. */
export class Files {
  private readonly path: { session_id: string };
  private readonly url: string;

  constructor(
    private readonly connection: Connection,
    sandboxId: string,
  ) {
    this.path = { session_id: sandboxId };
    this.url = `/sessions/${encodeURIComponent(sandboxId)}/workspace`;
  }

  /** Reads a file of any size. @throws NotFoundError if there is none */
  read(path: string, options?: ReadOptions & { format?: 'text' }): Promise<string>;
  read<Format extends keyof Formats>(path: string, options: ReadOptions & { format: Format }): Promise<Formats[Format]>;
  async read(
    path: string,
    { format = 'text', startLine, endLine, signal }: ReadOptions & { format?: keyof Formats } = {},
  ): Promise<unknown> {
    const response = await this.connection.open('GET', `${this.url}/content`, {
      query: { path, start_line: startLine, end_line: endLine },
      headers: { Accept: 'application/octet-stream' },
      signal,
    });
    if (format === 'stream') return response.body!;
    if (format === 'blob') return response.blob();
    return format === 'text' ? response.text() : new Uint8Array(await response.arrayBuffer());
  }

  /**
   * Writes a file, all of it or nothing. Directories that are missing are made.
   * @returns its entity tag
   */
  async write(path: string, content: FileContent, { mode, ...conditions }: Conditions & { mode?: string } = {}): Promise<{ etag: string }> {
    const response = await this.connection.open('PUT', `${this.url}/content`, {
      body: content as RequestBody,
      query: { path, mode },
      headers: { 'Content-Type': 'application/octet-stream', ...conditionHeaders(conditions) },
      signal: conditions.signal,
    });
    return { etag: response.headers.get('etag')! };
  }

  /** Lists a directory. @param options.depth levels of directories, 1 to 20 */
  async list(path = '', { depth, limit, signal }: CallOptions & { depth?: number; limit?: number } = {}): Promise<Listing> {
    const query = { path, ...(depth !== undefined && { depth }), ...(limit !== undefined && { limit }) };
    return camelCased(
      await answerOf(this.connection.api.GET('/sessions/{session_id}/workspace', { params: { path: this.path, query }, signal })),
    );
  }

  /** Tells type, size, time of change, mode and entity tag. */
  async getInfo(path: string, { signal }: CallOptions = {}): Promise<FileInfo> {
    return camelCased(
      await answerOf(
        this.connection.api.GET('/sessions/{session_id}/workspace/stat', {
          params: { path: this.path, query: { path } },
          signal,
        }),
      ),
    );
  }

  async exists(path: string, options: CallOptions = {}): Promise<boolean> {
    try {
      await this.getInfo(path, options);
      return true;
    } catch (error) {
      if (error instanceof NotFoundError) return false;
      throw error;
    }
  }

  /** Makes a directory and its parents. @returns whether it was not there before */
  async makeDir(path: string, { signal }: CallOptions = {}): Promise<boolean> {
    const call = this.connection.api.POST('/sessions/{session_id}/workspace/mkdir', {
      params: { path: this.path },
      body: { path },
      signal,
    });
    return (await answerOf(call)).created;
  }

  /**
   * Moves a file or a directory in one step.
   * @throws ConflictError if there is something at the goal
   */
  async rename(from: string, to: string, { overwrite = false, ...conditions }: Conditions & { overwrite?: boolean } = {}): Promise<void> {
    await this.send('POST', '/move', { from, to, overwrite }, conditions);
  }

  /** Deletes a file or a directory with all that is in it. */
  async remove(path: string, conditions: Conditions = {}): Promise<void> {
    const { signal } = conditions;
    await this.connection.open('DELETE', this.url, { query: { path }, headers: conditionHeaders(conditions), signal });
  }

  /** Replaces pieces of a text file: all of them, or none. */
  async edit(path: string, edits: TextEdit[], conditions: Conditions = {}): Promise<EditResult> {
    const response = await this.send('POST', '/edit', { path, edits }, conditions);
    return camelCased((await response.json()) as Schemas['EditResultDto']);
  }

  /** Finds lines that match a pattern, or files. */
  async search({ signal, ...query }: SearchOptions): Promise<SearchResult> {
    return camelCased(
      await answerOf(
        this.connection.api.GET('/sessions/{session_id}/workspace/search', {
          params: { path: this.path, query },
          signal,
        }),
      ),
    );
  }

  /**
   * Tells what changes in a directory, as it happens. Leaving the loop ends it. If the connection
   * breaks, changes are lost: list the directory, and watch it again.
   * @param options `recursive`: also in the directories below
   */
  async *watch(path = '', { recursive, signal }: CallOptions & { recursive?: boolean } = {}): AsyncGenerator<WatchEvent, void, void> {
    const response = await this.connection.open('GET', `${this.url}/watch`, {
      query: { path, recursive },
      headers: { Accept: 'text/event-stream' },
      signal,
    });
    for await (const { event, data } of serverEvents(response, 'end', signal))
      // A change has a type of its own.
      yield { type: event, ...camelCased(data as object) } as WatchEvent;
  }

  /** Reads a directory, or a file, as a tar. */
  async download(path = '', { gzip, signal }: CallOptions & { gzip?: boolean } = {}): Promise<ReadableStream<Uint8Array>> {
    const response = await this.connection.open('GET', `${this.url}/archive`, { query: { path, gzip }, signal });
    return response.body!;
  }

  /**
   * Unpacks a tar into a directory: all of it or nothing.
   * @returns how many entries it has, and the bytes of its files
   */
  async upload(
    archive: Exclude<FileContent, string>,
    path = '',
    { gzip = false, signal }: CallOptions & { gzip?: boolean } = {},
  ): Promise<{ entries: number; size: number }> {
    const response = await this.connection.open('PUT', `${this.url}/archive`, {
      body: archive as RequestBody,
      query: { path },
      headers: { 'Content-Type': gzip ? 'application/gzip' : 'application/x-tar' },
      signal,
    });
    return (await response.json()) as { entries: number; size: number };
  }

  private send(method: string, path: string, body: object, conditions: Conditions): Promise<Response> {
    return this.connection.open(method, this.url + path, {
      body: JSON.stringify(body),
      headers: { 'Content-Type': 'application/json', ...conditionHeaders(conditions) },
      signal: conditions.signal,
    });
  }
}

function conditionHeaders({ ifMatch, ifNoneMatch }: Conditions): Record<string, string> {
  return {
    ...(ifMatch !== undefined && { 'If-Match': ifMatch }),
    ...(ifNoneMatch !== undefined && { 'If-None-Match': ifNoneMatch }),
  };
}
