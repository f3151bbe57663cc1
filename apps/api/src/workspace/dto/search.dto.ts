import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { SearchMatch, SearchResult } from '@sandbox/orchestrator';
import { Text, Whole } from '../../validation/fields';
import { DirectoryQuery, EXACT_BYTES, SkipDto } from './workspace.dto';

const MAX_PATTERN_CHARACTERS = 1000;
export const DEFAULT_MATCHES = 200;
const MAX_MATCHES = 5000;

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

export class SearchResultDto implements SearchResult {
  @ApiProperty({ type: [SearchMatchDto], description: 'In the order of a listing, and of lines in a file' })
  matches: SearchMatchDto[];

  @ApiProperty({ description: 'There are, or may be, more matches', example: false })
  truncated: boolean;

  @ApiProperty({ type: [SkipDto], description: 'What was not looked at, or not all of it; the first 50' })
  skipped: SkipDto[];

  @ApiPropertyOptional({ type: 'integer', description: 'How many in all, if `skipped` does not list them all', example: 120 })
  skipped_total?: number;
}
