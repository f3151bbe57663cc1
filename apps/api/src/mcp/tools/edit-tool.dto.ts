import { IntersectionType } from '@nestjs/swagger';
import { SessionIdDto } from '../../sessions/sessions.dto';
import { EditDto, EditResultDto } from '../../workspace/dto/edit.dto';
import { SessionNewsDto } from './session-news';

export class WorkspaceEditArgs extends IntersectionType(SessionIdDto, EditDto) {}

export class WorkspaceEditedDto extends IntersectionType(EditResultDto, SessionNewsDto) {}
