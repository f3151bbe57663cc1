import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { WorkspaceSearchService } from '@sandbox/orchestrator';
import type { User } from '@sandbox/sessions';
import { CurrentUser } from '../auth/current-user.decorator';
import { ApiProblems, PROBLEMS } from '../openapi/problem-responses';
import { ClientSignal } from '../request/client-signal.decorator';
import { SessionIdDto } from '../sessions/sessions.dto';
import { givenPath } from './dto/given-path';
import { SearchQuery, SearchResultDto } from './dto/search.dto';

@ApiTags('workspace')
@Controller('sessions/:session_id/workspace')
export class SearchController {
  constructor(private readonly searches: WorkspaceSearchService) {}

  @Get('search')
  @ApiOperation({
    summary: 'Search for files, or in them',
    description:
      'In a directory, or in one file. Regular files, hidden ones too; links are not followed. With a pattern, the lines of text files (UTF-8, UTF-16, 8-bit) that it is found in. `skipped` names what was not looked at. A search that takes over 10 seconds is ended: it answers what it has found, or SEARCH_TIMED_OUT if that is nothing.',
  })
  @ApiOkResponse({ type: SearchResultDto, description: 'What was found' })
  @ApiProblems(...PROBLEMS.GUARDED, ...PROBLEMS.FILE_PATH, ...PROBLEMS.SANDBOX, 'NOT_A_REGULAR_FILE', 'INVALID_PATTERN', 'SEARCH_TIMED_OUT')
  async search(
    @CurrentUser() user: User,
    @Param() { session_id }: SessionIdDto,
    @Query() query: SearchQuery,
    @ClientSignal() signal: AbortSignal,
  ): Promise<SearchResultDto> {
    const { session_created: _news, ...found } = await this.searches.searchFiles(user, session_id, givenPath(query), query, signal);
    return found;
  }
}
