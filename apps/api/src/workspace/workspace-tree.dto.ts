import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import {
  SKIP_REASONS,
  type EditResult,
  type SearchMatch,
  type SearchResult,
  type SearchSkip,
  type TextEdit,
  type WorkspaceStat,
} from '@sandbox/orchestrator';
import { Text, Whole, Flag } from '../validation/fields';
import { Path, PathBytes } from './given-path';
import { TextEdits } from './text-edits';
import { DirectoryQuery, EXACT_BYTES, PATH, PathQuery } from './workspace.dto';

const MAX_PATTERN_CHARACTERS = 1000;
const DEFAULT_MATCHES = 200;
const MAX_MATCHES = 5000;

const ETAG = { description: 'Entity tag, as If-Match takes it', example: '"2a.4d2.18a1b2c3d4e5f601.18a1b2c3d4e5f601"' } as const;

export class WorkspaceStatDto implements WorkspaceStat {
  @ApiProperty({ description: 'From the workspace’s root; empty for the root itself', example: 'src/main.py' })
  path: string;

  @ApiPropertyOptional(EXACT_BYTES)
  path_base64?: string;

  @ApiProperty({ enum: ['file', 'dir', 'symlink', 'other'], description: 'symlink for a link, wherever it leads', example: 'file' })
  type: 'file' | 'dir' | 'symlink' | 'other';

  @ApiProperty({ type: 'integer', description: 'Bytes', example: 1234 })
  size: number;

  @ApiProperty({ format: 'date-time', example: '2025-01-01T12:00:00.000Z' })
  modified: string;

  @ApiProperty({ description: 'Permissions, four octal digits', example: '0644' })
  mode: string;

  @ApiProperty(ETAG)
  etag: string;
}

export class MoveDto {
  @Path({ required: true, description: `${PATH} Required, or \`from_base64\`.`, example: 'draft.txt' })
  from?: string;

  @PathBytes()
  from_base64?: string;

  @Path({
    required: true,
    description: 'Where it goes, its new name included; directories that are not there are made. Required, or `to_base64`.',
    example: 'texts/final.txt',
  })
  to?: string;

  @PathBytes()
  to_base64?: string;

  @Flag({
    optional: true,
    default: false,
    description: 'Whether a file at `to` may be replaced by a file, and an empty directory by a directory',
    example: false,
  })
  overwrite?: boolean;
}

export class MovedDto {
  @ApiProperty({ description: 'Where it is now', example: 'texts/final.txt' })
  path: string;

  @ApiPropertyOptional(EXACT_BYTES)
  path_base64?: string;

  @ApiProperty(ETAG)
  etag: string;
}

export class MakeDirectoryDto extends PathQuery {}

export class DirectoryMadeDto {
  @ApiProperty({ example: 'src' })
  path: string;

  @ApiPropertyOptional(EXACT_BYTES)
  path_base64?: string;

  @ApiProperty({ description: 'False where the directory was there already', example: true })
  created: boolean;
}

export class SearchQuery extends DirectoryQuery {
  @Text({
    optional: true,
    min: 1,
    max: MAX_PATTERN_CHARACTERS,
    nul: false,
    description:
      'Which files: `*` and `?` within a name, `**` over directories, `[a-z]`, `[!a-z]`, `{a,b}`. Without a slash it is for the name alone; `src/**` is for paths below `path` or from the root, `/workspace/src/**` from the root. All files if absent, and if `path` is a file.',
    example: '**/*.py',
  })
  glob?: string;

  @Text({
    optional: true,
    min: 1,
    max: MAX_PATTERN_CHARACTERS,
    description: 'Regular expression (Python’s), looked for in one line at a time. Without it the answer is the files themselves.',
    example: 'def \\w+_test\\(',
  })
  pattern?: string;

  @Whole({ optional: true, min: 1, max: MAX_MATCHES, default: DEFAULT_MATCHES, description: 'Most matches to answer', example: 50 })
  limit: number = DEFAULT_MATCHES;
}

export class SearchMatchDto implements SearchMatch {
  @ApiProperty({ description: 'From the workspace’s root', example: 'src/main.py' })
  path: string;

  @ApiPropertyOptional(EXACT_BYTES)
  path_base64?: string;

  @ApiPropertyOptional({ type: 'integer', description: 'From 1; only with a pattern', example: 12 })
  line_number?: number;

  @ApiPropertyOptional({ description: 'At most its first 500 characters; only with a pattern', example: 'def first_test():' })
  line?: string;
}

export class SearchSkipDto implements SearchSkip {
  @ApiProperty({ description: 'From the workspace’s root', example: 'logs/all.json' })
  path: string;

  @ApiPropertyOptional(EXACT_BYTES)
  path_base64?: string;

  @ApiProperty({
    enum: SKIP_REASONS,
    description:
      'timed_out: neither this nor what comes after it. line_too_long: what a line has past 1 MiB. binary: the pattern is in it, or it is over 8 MiB. link: leads out of what is searched. too_deep: below 100 directories.',
    example: 'line_too_long',
  })
  reason: SearchSkip['reason'];
}

export class SearchResultDto implements SearchResult {
  @ApiProperty({ type: [SearchMatchDto], description: 'In the order of a listing, and of lines in a file' })
  matches: SearchMatchDto[];

  @ApiProperty({ description: 'There are, or may be, more matches', example: false })
  truncated: boolean;

  @ApiProperty({ type: [SearchSkipDto], description: 'What was not looked at, or not all of it; the first 50' })
  skipped: SearchSkipDto[];

  @ApiPropertyOptional({ type: 'integer', description: 'How many in all, if `skipped` does not list them all', example: 120 })
  skipped_total?: number;
}

export class TextEditDto implements TextEdit {
  @Text({
    min: 1,
    description: 'Text that is in the file, exactly, white space too. A line end matches LF and CR LF; the file keeps its own.',
    example: 'hello',
  })
  old: string;

  @Text({ description: 'What takes its place', example: 'goodbye' })
  new: string;

  @Flag({ optional: true, default: false, description: 'Replace it wherever it is; else it has to be there exactly once', example: false })
  all?: boolean;
}

export class EditDto extends PathQuery {
  @TextEdits(TextEditDto, { description: 'Applied in order, each to what the ones before it made: all of them, or none' })
  edits: TextEditDto[];
}

export class EditResultDto implements Omit<EditResult, 'truncated'> {
  @ApiProperty({ description: 'What has changed, as a unified diff', example: '--- a/f\n+++ b/f\n@@ -1 +1 @@\n-hello\n+goodbye\n' })
  diff: string;

  @ApiProperty(ETAG)
  etag: string;

  @ApiPropertyOptional({
    description: 'Present, and true, where the diff is longer than 1 MiB and was cut; the edit is whole',
    example: true,
  })
  truncated?: boolean;
}
