import { IntersectionType } from '@nestjs/swagger';
import { SessionIdDto } from '../../sessions/sessions.dto';
import { EditDto } from '../../workspace/edit.dto';

export class WorkspaceEditArgs extends IntersectionType(SessionIdDto, EditDto) {}
