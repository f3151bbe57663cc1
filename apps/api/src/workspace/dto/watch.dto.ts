import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { CHANGE_TYPES, LOST_REASONS, type LostChanges, WATCH_ENDS, type WatchEnd, type WorkspaceChange } from '@sandbox/orchestrator';
import { OneOf } from '../../validation/fields';
import { DirectoryQuery, EXACT_BYTES } from './workspace.dto';

export class WatchQuery extends DirectoryQuery {
  @OneOf({
    optional: true,
    values: ['true', 'false'],
    default: 'false',
    description: 'Watches the directories below too, also new ones. Links are not followed.',
    example: 'true',
  })
  recursive?: 'true' | 'false';
}

export class ChangeEventDto implements WorkspaceChange {
  @ApiProperty({
    enum: CHANGE_TYPES,
    description:
      'create: a new entry, or one from outside of what is watched, which may have replaced another. modify: a file’s content. remove: gone, or moved outside. rename: moved within what is watched. chmod: permissions, owner, times or the number of links.',
    example: 'modify',
  })
  type: WorkspaceChange['type'];

  @ApiProperty({ description: 'From the watched directory', example: 'src/main.py' })
  path: string;

  @ApiPropertyOptional(EXACT_BYTES)
  path_base64?: string;

  @ApiProperty({ description: 'Whether the entry is a directory', example: false })
  is_dir: boolean;

  @ApiPropertyOptional({ description: 'Of a rename: the old path', example: 'src/old.py' })
  from?: string;

  @ApiPropertyOptional(EXACT_BYTES)
  from_base64?: string;
}

export class LostEventDto implements LostChanges {
  @ApiProperty({
    enum: LOST_REASONS,
    description:
      'overflow: some changes before this event are not told, because there were too many at once or the client was too slow; look at the directory again. Others: changes at `path` or below are not told, from now on. too_many_directories: past 4,096 of them, or the host’s limit. too_deep: over 99 levels down, or a path over 3,840 bytes. not_readable: permissions close it.',
    example: 'overflow',
  })
  reason: LostChanges['reason'];

  @ApiPropertyOptional({ description: 'From the watched directory; empty for that itself', example: 'node_modules' })
  path?: string;

  @ApiPropertyOptional(EXACT_BYTES)
  path_base64?: string;
}

export class WatchEndDto {
  @ApiProperty({
    enum: WATCH_ENDS,
    description: 'directory_gone: removed or moved. time_over: after 24 hours. server_stopping: watch again.',
    example: 'directory_gone',
  })
  reason: WatchEnd;
}
