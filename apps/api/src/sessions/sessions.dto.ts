import { ApiProperty } from '@nestjs/swagger';
import type { SessionInfo } from '@sandbox/orchestrator';
import { IsText } from '../validation/rules';

export class SessionIdDto {
  @ApiProperty({
    description: 'Name of the session, of your choosing and among your own: any text. In a URL, percent-encode it, slashes too.',
    minLength: 1,
    maxLength: 256,
    example: 'my-session',
  })
  @IsText({ min: 1, max: 256 })
  session_id: string;
}

export class CreateSessionDto extends SessionIdDto {}

export class SessionCreatedDto {
  @ApiProperty({ example: 'my-session' })
  session_id: string;

  @ApiProperty({ description: 'First 12 hex digits of the id of the session’s container', example: '4f1d0c2b9a7e' })
  container_id: string;
}

export class SessionDto implements SessionInfo {
  @ApiProperty({ example: 'my-session' })
  session_id: string;

  @ApiProperty({ description: 'First 12 hex digits of the id of the session’s container', example: '4f1d0c2b9a7e' })
  container_id: string;

  @ApiProperty({ format: 'date-time', example: '2025-01-01T12:00:00.000Z' })
  created_at: string;

  @ApiProperty({ format: 'date-time', example: '2025-01-01T12:05:00.000Z' })
  last_used_at: string;

  @ApiProperty({ format: 'date-time', description: 'When it is removed unless used before', example: '2025-01-01T12:15:00.000Z' })
  expires_at: string;

  @ApiProperty({ example: 'python:3.12-slim' })
  image: string;
}

export class SessionListDto {
  @ApiProperty({ type: [SessionDto], description: 'Your live sessions, the oldest first' })
  sessions: SessionDto[];
}

export class DeletedSessionDto {
  @ApiProperty({ enum: ['deleted'], example: 'deleted' })
  status: 'deleted';

  @ApiProperty({ example: 'my-session' })
  session_id: string;
}
