import { ApiProperty, ApiPropertyOptional, IntersectionType } from '@nestjs/swagger';
import { DeletedSessionDto, SessionIdDto } from '../../sessions/sessions.dto';
import { EXACT_BYTES, ListQuery, PathQuery, WriteContentDto, WriteQuery } from '../../workspace/workspace.dto';

/** REST's path, query and body in one, because a tool has only arguments. */
export class WorkspaceListArgs extends IntersectionType(SessionIdDto, ListQuery) {}
export class WorkspacePathArgs extends IntersectionType(SessionIdDto, PathQuery) {}
export class WorkspaceWriteArgs extends IntersectionType(SessionIdDto, WriteQuery, WriteContentDto) {}

export class WorkspaceDeletedDto extends DeletedSessionDto {
  @ApiProperty({ example: 'src/main.py' })
  path: string;

  @ApiPropertyOptional(EXACT_BYTES)
  path_base64?: string;
}
