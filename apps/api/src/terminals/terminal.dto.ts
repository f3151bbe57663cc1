import { ApiProperty } from '@nestjs/swagger';
import { MAX_COMMAND_CHARACTERS } from '../execute/shell-command.dto';
import { Text, Whole } from '../validation/fields';

const MAX_SIZE = 1_000;

/** The query string of the WebSocket's address. */
export class TerminalQuery {
  @Whole({ optional: true, min: 1, max: MAX_SIZE })
  cols?: number;

  @Whole({ optional: true, min: 1, max: MAX_SIZE })
  rows?: number;

  @Text({ optional: true, min: 1, max: MAX_COMMAND_CHARACTERS, nul: false })
  command?: string;

  @Text({ optional: true, min: 1, max: 64 })
  terminal?: string;

  @Whole({ optional: true, min: 0 })
  since?: number;

  @Text({ optional: true, min: 1, max: 64 })
  ticket?: string;
}

export class ResizeMessage {
  @Text({ max: 16 })
  type: string;

  @Whole({ min: 1, max: MAX_SIZE })
  cols: number;

  @Whole({ min: 1, max: MAX_SIZE })
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
