import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { SKIP_REASONS, type Skip, type WorkspaceEntry } from '@sandbox/orchestrator';
import { FileMode } from './file-mode';
import { OneOf, Text, Whole } from '../../validation/fields';
import { Path, PathBytes, type PathFields } from './given-path';

export const PATH = 'Relative to /workspace, or absolute in it: `a` and `/workspace/a` are one file.';
/** Documents a field that answers a path's bytes. */
export const EXACT_BYTES = {
  description: 'Present if the name is not UTF-8: its exact bytes in base64. The field without `_base64` then has U+FFFD in it.',
  example: 'Y2Fm6Q==',
} as const;

const MODE = {
  optional: true,
  description: 'Permissions in octal; those of the file that is replaced if absent, else 644',
  example: '755',
} as const;

const MAX_DEPTH = 20;
const MAX_ENTRIES = 1_000_000;
const MAX_LINE = 999_999_999;

export class PathQuery implements PathFields {
  @Path({ required: true, description: `${PATH} Required, or \`path_base64\`.`, example: 'src/main.py' })
  path?: string;

  @PathBytes()
  path_base64?: string;
}

export class DirectoryQuery implements PathFields {
  @Path({ required: false, description: `${PATH} The root where absent.`, default: '', example: 'src' })
  path?: string;

  @PathBytes()
  path_base64?: string;
}

export class ListQuery extends DirectoryQuery {
  @Whole({
    optional: true,
    min: 1,
    max: MAX_DEPTH,
    default: 1,
    description: 'Levels of directories: over 1, what is in the directories below is listed too. Links are not followed.',
    example: 3,
  })
  depth?: number;

  @Whole({ optional: true, min: 1, max: MAX_ENTRIES, description: 'Most entries to list; all where absent', example: 1000 })
  limit?: number;
}

export class WriteQuery extends PathQuery {
  @FileMode(MODE)
  mode?: string;
}

export class ReadQuery extends PathQuery {
  @Whole({ optional: true, min: 1, max: MAX_LINE, description: 'First line to read, counted from 1; not together with Range', example: 10 })
  start_line?: number;

  @Whole({ optional: true, min: 1, max: MAX_LINE, description: 'Last line to read, itself included; the file may have fewer', example: 20 })
  end_line?: number;
}

export class UploadQuery implements PathFields {
  @Path({ required: false, description: `${PATH} The file’s own name, without directories, where absent.`, example: 'data/input.csv' })
  path?: string;

  @PathBytes()
  path_base64?: string;

  @FileMode(MODE)
  mode?: string;
}

export class WorkspaceEntryDto implements WorkspaceEntry {
  @ApiProperty({ description: 'With a depth over 1, the path from the listed directory', example: 'main.py' })
  name: string;

  @ApiPropertyOptional(EXACT_BYTES)
  name_base64?: string;

  @ApiProperty({ enum: ['file', 'dir', 'symlink', 'other'], example: 'file' })
  type: 'file' | 'dir' | 'symlink' | 'other';

  @ApiProperty({ type: 'integer', description: 'Bytes', example: 1234 })
  size: number;

  @ApiProperty({ format: 'date-time', example: '2025-01-01T12:00:00.000Z' })
  modified: string;
}

export class SkipDto implements Skip {
  @ApiProperty({ description: 'From the workspace’s root', example: 'logs/all.json' })
  path: string;

  @ApiPropertyOptional(EXACT_BYTES)
  path_base64?: string;

  @ApiProperty({
    enum: SKIP_REASONS,
    description:
      'not_readable: what is in a directory, or a file, that its permissions close. Of a search besides: timed_out: neither this nor what comes after it. line_too_long: what a line has past 1 MiB. binary: the pattern is in it, or it is over 8 MiB. link: leads out of what is searched. too_deep: below 100 directories.',
    example: 'not_readable',
  })
  reason: Skip['reason'];
}

export class WorkspaceListingDto {
  @ApiProperty({
    type: [WorkspaceEntryDto],
    description: 'Sorted by name (by code points), each directory right before what is in it',
  })
  entries: WorkspaceEntryDto[];

  @ApiPropertyOptional({ description: 'Present, and true, where there are more entries than `limit`', example: true })
  truncated?: boolean;

  @ApiPropertyOptional({ type: [SkipDto], description: 'Present if there is something that permissions close: the first 50' })
  skipped?: SkipDto[];

  @ApiPropertyOptional({ type: 'integer', description: 'How many in all, if `skipped` does not list them all', example: 120 })
  skipped_total?: number;
}

export class WorkspaceContentDto {
  @ApiProperty({ example: 'print("hello")\n' })
  content: string;

  @ApiProperty({ enum: ['utf8', 'base64'], description: 'base64 where the file is not UTF-8', example: 'utf8' })
  encoding: 'utf8' | 'base64';
}

export class WriteContentDto {
  @Text({ description: 'The whole new content', example: 'print("hello")\n' })
  content: string;

  @OneOf({ optional: true, values: ['utf8', 'base64'], default: 'utf8', description: 'How content is to be read', example: 'utf8' })
  encoding?: 'utf8' | 'base64';
}

export class UploadResultDto {
  @ApiProperty({ description: 'Relative to /workspace', example: 'data/input.csv' })
  path: string;

  @ApiPropertyOptional(EXACT_BYTES)
  path_base64?: string;

  @ApiProperty({ example: 'my-session' })
  session_id: string;

  @ApiProperty({ type: 'integer', description: 'Bytes', example: 1234 })
  size: number;
}
