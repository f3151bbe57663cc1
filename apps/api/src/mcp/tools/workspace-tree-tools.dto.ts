import { IntersectionType } from '@nestjs/swagger';
import { SessionIdDto } from '../../sessions/sessions.dto';
import { EditDto, SearchQuery } from '../../workspace/workspace-tree.dto';

export class WorkspaceSearchArgs extends IntersectionType(SessionIdDto, SearchQuery) {}

export class WorkspaceEditArgs extends IntersectionType(SessionIdDto, EditDto) {}
