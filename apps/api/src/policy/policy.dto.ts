import { ApiProperty, ApiPropertyOptional, PickType } from '@nestjs/swagger';
import { ShellCommandDto } from '../execute/shell-command.dto';
import { Text } from '../validation/fields';

export class CheckPolicyDto extends PickType(ShellCommandDto, ['command', 'env', 'shell']) {
  @Text({
    optional: true,
    min: 1,
    max: 256,
    description: 'A live session, whose own programs are allowed too; absent: as in a new session, which has none',
    example: 'my-session',
  })
  session_id?: string;
}

export class PositionDto {
  @ApiProperty({ type: 'integer', description: 'From 1', example: 1 })
  line: number;

  @ApiProperty({ type: 'integer', description: 'From 1, in UTF-16 units', example: 7 })
  column: number;

  @ApiProperty({ type: 'integer', description: 'From the start of the command, in UTF-16 units', example: 6 })
  offset: number;
}

export class PolicyAnswerDto {
  @ApiProperty({ example: false })
  allowed: boolean;

  @ApiPropertyOptional({
    description: 'The word that is refused; empty at the end of the command. This and the fields below are absent if it is allowed',
    example: 'pyton',
  })
  word?: string;

  @ApiPropertyOptional({ type: PositionDto, description: 'Where the word begins' })
  position?: PositionDto;

  @ApiPropertyOptional({
    description: 'Why, and what to do instead if there is such a way',
    example: 'it is not on the list of allowed programs; a program of your own runs by its path, as ./NAME',
  })
  reason?: string;

  @ApiPropertyOptional({
    type: [String],
    description: 'Allowed programs with a similar name, the most similar first; empty if there is none',
    example: ['python'],
  })
  similar?: string[];
}
