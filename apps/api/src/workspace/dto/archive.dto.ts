import { ApiProperty } from '@nestjs/swagger';
import type { UnpackResult } from '@sandbox/orchestrator';
import { OneOf } from '../../validation/fields';
import { DirectoryQuery } from './workspace.dto';

export class ArchiveQuery extends DirectoryQuery {
  @OneOf({ optional: true, values: ['true', 'false'], default: 'false', description: 'Whether the tar is compressed with gzip' })
  gzip?: 'true' | 'false';
}

export class UnpackResultDto implements UnpackResult {
  @ApiProperty({ type: 'integer', description: 'Files, directories and links of the archive', example: 12 })
  entries: number;

  @ApiProperty({ type: 'integer', description: 'Bytes of its files', example: 34567 })
  size: number;
}
