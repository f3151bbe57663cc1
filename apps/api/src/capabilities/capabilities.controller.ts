import { Controller, Get, Query, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { User } from '@sandbox/sessions';
import type { Response } from 'express';
import { CurrentUser } from '../auth/current-user.decorator';
import { ApiProblems, PROBLEMS } from '../openapi/problem-responses';
import { toldBudget } from '../rate-limit/budget';
import { CapabilitiesDocument } from './capabilities-document';
import { CapabilitiesDto, CapabilitiesQuery } from './capabilities.dto';

@ApiTags('capabilities')
@Controller('capabilities')
export class CapabilitiesController {
  constructor(private readonly document: CapabilitiesDocument) {}

  @Get()
  @ApiOperation({
    summary: 'What can be done here',
    description:
      'Limits, images and their programs, command policy, network rules, and what is left of your quotas. Makes no session and prolongs none. MCP has the same as the resource `sandbox://capabilities`.',
  })
  @ApiOkResponse({ type: CapabilitiesDto, description: 'As it is now' })
  @ApiProblems(...PROBLEMS.GUARDED)
  get(
    @CurrentUser() user: User,
    @Query() { image }: CapabilitiesQuery,
    @Res({ passthrough: true }) response: Response,
  ): Promise<CapabilitiesDto> {
    return this.document.describeFor(user, toldBudget(response), image);
  }
}
