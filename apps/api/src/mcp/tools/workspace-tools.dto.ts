import { ApiProperty, ApiPropertyOptional, IntersectionType } from '@nestjs/swagger';
import { DeletedSessionDto, SessionIdDto } from '../../sessions/sessions.dto';
import {
  EXACT_BYTES,
  ListQuery,
  PathQuery,
  UploadResultDto,
  WorkspaceListingDto,
  WriteContentDto,
  WriteQuery,
} from '../../workspace/dto/workspace.dto';
import { SessionNewsDto } from './session-news';

/** REST's path, query and body in one, because a tool has only arguments. */
export class WorkspaceListArgs extends IntersectionType(SessionIdDto, ListQuery) {}
export class WorkspacePathArgs extends IntersectionType(SessionIdDto, PathQuery) {}
export class WorkspaceWriteArgs extends IntersectionType(SessionIdDto, WriteQuery, WriteContentDto) {}

/** REST's answers, and what a tool says of the session besides. */
export class WorkspaceListedDto extends IntersectionType(WorkspaceListingDto, SessionNewsDto) {}
export class WorkspaceWrittenDto extends IntersectionType(UploadResultDto, SessionNewsDto) {}

export class WorkspaceDeletedDto extends IntersectionType(DeletedSessionDto, SessionNewsDto) {
  @ApiProperty({ example: 'src/main.py' })
  path: string;

  @ApiPropertyOptional(EXACT_BYTES)
  path_base64?: string;
}
