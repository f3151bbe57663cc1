import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { WorkspaceEntry } from '@sandbox/orchestrator';
import { IsIn, IsString } from 'class-validator';
import { IsText, Optional } from '../validation/rules';

const PATH = 'Path below /workspace; a leading slash means the workspace’s root. Without NUL, at most 4096 bytes.';

export class PathQuery {
  @ApiProperty({ description: PATH, example: 'src/main.py' })
  @IsString()
  path: string;
}

export class DirectoryQuery {
  @ApiPropertyOptional({ description: `${PATH} The root where absent.`, default: '', example: 'src' })
  @Optional()
  @IsString()
  path?: string;
}

export class UploadQuery {
  @ApiPropertyOptional({ description: `${PATH} The file’s own name, without directories, where absent.`, example: 'data/input.csv' })
  @Optional()
  @IsString()
  path?: string;
}

export class WorkspaceEntryDto implements WorkspaceEntry {
  @ApiProperty({ example: 'main.py' })
  name: string;

  @ApiProperty({ enum: ['file', 'dir', 'symlink', 'other'], example: 'file' })
  type: 'file' | 'dir' | 'symlink' | 'other';

  @ApiProperty({ type: 'integer', description: 'Bytes', example: 1234 })
  size: number;

  @ApiProperty({ format: 'date-time', example: '2025-01-01T12:00:00.000Z' })
  modified: string;
}

export class WorkspaceListingDto {
  @ApiProperty({ type: [WorkspaceEntryDto], description: 'Sorted by name' })
  entries: WorkspaceEntryDto[];
}

export class WorkspaceContentDto {
  @ApiProperty({ example: 'print("hello")\n' })
  content: string;

  @ApiProperty({ enum: ['utf8', 'base64'], description: 'base64 where the file is not UTF-8', example: 'utf8' })
  encoding: 'utf8' | 'base64';
}

export class WriteContentDto {
  @ApiProperty({ description: 'The whole new content', example: 'print("hello")\n' })
  @IsText({ max: Number.MAX_SAFE_INTEGER })
  content: string;

  @ApiPropertyOptional({ enum: ['utf8', 'base64'], default: 'utf8', description: 'How content is to be read', example: 'utf8' })
  @Optional()
  @IsIn(['utf8', 'base64'], { message: 'must be utf8 or base64' })
  encoding?: 'utf8' | 'base64';
}

export class UploadResultDto {
  @ApiProperty({ example: 'data/input.csv' })
  path: string;

  @ApiProperty({ example: 'my-session' })
  session_id: string;

  @ApiProperty({ type: 'integer', description: 'Bytes', example: 1234 })
  size: number;
}
