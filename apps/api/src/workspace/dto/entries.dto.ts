import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { WorkspaceStat } from '@sandbox/orchestrator';
import { Flag } from '../../validation/fields';
import { Path, PathBytes } from './given-path';
import { EXACT_BYTES, PATH, PathQuery } from './workspace.dto';

/** Documents the entity tag of an answer. */
export const ETAG = { description: 'Entity tag, as If-Match takes it', example: '"2a.4d2.18a1b2c3d4e5f601.18a1b2c3d4e5f601"' } as const;

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
