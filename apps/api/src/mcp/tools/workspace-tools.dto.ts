import { ApiProperty, ApiPropertyOptional, IntersectionType } from '@nestjs/swagger';
import { DeletedSessionDto, SessionIdDto } from '../../sessions/sessions.dto';
import { ListQuery, PathQuery, ReadQuery, WorkspaceContentDto, WriteContentDto, WriteQuery } from '../../workspace/workspace.dto';

/** REST's path, query and body in one: a tool has only arguments. */
export class WorkspaceListArgs extends IntersectionType(SessionIdDto, ListQuery) {}
export class WorkspaceReadArgs extends IntersectionType(SessionIdDto, ReadQuery) {}
export class WorkspacePathArgs extends IntersectionType(SessionIdDto, PathQuery) {}
export class WorkspaceWriteArgs extends IntersectionType(SessionIdDto, WriteQuery, WriteContentDto) {}

export class WorkspaceReadResultDto extends WorkspaceContentDto {
  @ApiPropertyOptional({ description: 'Present, and true, where the middle of content was left out', example: true })
  truncated?: boolean;
}

export class WorkspaceDeletedDto extends DeletedSessionDto {
  @ApiProperty({ example: 'src/main.py' })
  path: string;
}
