import { IntersectionType } from '@nestjs/swagger';
import { SessionIdDto } from '../../sessions/sessions.dto';
import { SearchQuery, SearchResultDto } from '../../workspace/dto/search.dto';
import { SessionNewsDto } from './session-news';

export class WorkspaceSearchArgs extends IntersectionType(SessionIdDto, SearchQuery) {}

export class WorkspaceFoundDto extends IntersectionType(SearchResultDto, SessionNewsDto) {}
