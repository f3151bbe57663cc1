import { ApiPropertyOptional, IntersectionType, PartialType } from '@nestjs/swagger';
import { SessionIdDto } from '../../sessions/sessions.dto';
import { OneOf } from '../../validation/fields';
import { EXACT_BYTES, ReadQuery, WorkspaceContentDto } from '../../workspace/dto/workspace.dto';
import { SessionNewsDto } from './session-news';

export class WorkspaceReadArgs extends IntersectionType(SessionIdDto, ReadQuery) {
  @OneOf({ optional: true, values: ['base64'], description: 'Answers bytes, whatever they are' })
  encoding?: 'base64';
}

/** The content of a text. Of an image or another binary, its size and type. */
export class WorkspaceReadResultDto extends IntersectionType(PartialType(WorkspaceContentDto), SessionNewsDto) {
  @ApiPropertyOptional({ description: 'Present, and true, if something of content was left out' })
  truncated?: boolean;

  @ApiPropertyOptional({ description: 'Of text that is not all UTF-8', example: 'windows-1252' })
  encoding_detected?: string;

  @ApiPropertyOptional()
  path?: string;

  @ApiPropertyOptional(EXACT_BYTES)
  path_base64?: string;

  @ApiPropertyOptional({ type: 'integer', description: 'Bytes of the whole file' })
  size?: number;

  @ApiPropertyOptional({ description: 'Of what is no text', example: 'image/png' })
  mime_type?: string;
}
