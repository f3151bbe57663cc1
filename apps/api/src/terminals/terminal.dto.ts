import { ApiProperty } from '@nestjs/swagger';
import { MAX_COMMAND_CHARACTERS } from '../execute/shell-command.dto';
import { IsText, IsIntegerFrom, Optional } from '../validation/rules';

const MAX_SIZE = 1_000;

/** The query string of the WebSocket's address. */
export class TerminalQuery {
  @Optional()
  @IsIntegerFrom(1, MAX_SIZE)
  cols?: number;

  @Optional()
  @IsIntegerFrom(1, MAX_SIZE)
  rows?: number;

  @Optional()
  @IsText({ min: 1, max: MAX_COMMAND_CHARACTERS, nul: false })
  command?: string;

  @Optional()
  @IsText({ min: 1, max: 64 })
  terminal?: string;

  @Optional()
  @IsIntegerFrom(0, Number.MAX_SAFE_INTEGER)
  since?: number;

  @Optional()
  @IsText({ min: 1, max: 64 })
  ticket?: string;
}

export class ResizeMessage {
  @IsText({ max: 16 })
  type: string;

  @IsIntegerFrom(1, MAX_SIZE)
  cols: number;

  @IsIntegerFrom(1, MAX_SIZE)
  rows: number;
}

export class TerminalTicketDto {
  @ApiProperty({ description: 'Opens one terminal of this session, once, within 30 s', example: 'pV3m0Zr0b1V0c3JlYWxseS1yYW5kb20' })
  ticket: string;

  @ApiProperty({
    description: 'Where: a path of this server, for a WebSocket; add `cols`, `rows`, `command`, or `terminal` and `since`',
    example: '/sessions/my-session/terminal?ticket=pV3m0Zr0b1V0c3JlYWxseS1yYW5kb20',
  })
  url: string;
}
