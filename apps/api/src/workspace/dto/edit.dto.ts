import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { EditResult, TextEdit } from '@sandbox/orchestrator';
import { Flag, Text } from '../../validation/fields';
import { ETAG } from './entries.dto';
import { TextEdits } from './text-edits';
import { PathQuery } from './workspace.dto';

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
