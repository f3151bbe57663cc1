import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { UnpackResult } from '@sandbox/orchestrator';
import { IsIn } from 'class-validator';
import { Optional } from '../validation/rules';
import { DirectoryQuery } from './workspace.dto';

export class ArchiveQuery extends DirectoryQuery {
  @ApiPropertyOptional({ enum: ['true', 'false'], default: 'false', description: 'Whether the tar is compressed with gzip' })
  @Optional()
  @IsIn(['true', 'false'], { message: 'must be true or false' })
  gzip?: 'true' | 'false';
}

export class UnpackResultDto implements UnpackResult {
  @ApiProperty({ type: 'integer', description: 'Files, directories and links of the archive', example: 12 })
  entries: number;

  @ApiProperty({ type: 'integer', description: 'Bytes of its files', example: 34567 })
  size: number;
}
