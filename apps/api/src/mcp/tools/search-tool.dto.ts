import { IntersectionType } from '@nestjs/swagger';
import { SessionIdDto } from '../../sessions/sessions.dto';
import { SearchQuery } from '../../workspace/search.dto';

export class WorkspaceSearchArgs extends IntersectionType(SessionIdDto, SearchQuery) {}
