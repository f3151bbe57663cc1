import { ApiPropertyOptional } from '@nestjs/swagger';
import { DeniedDto } from '../network/network.dto';

/** What became of the session's limits while a command or a job ran. */
export class CommandReportDto {
  @ApiPropertyOptional({ type: 'integer', description: 'With oom_killed: the sandbox’s memory, bytes', example: 268435456 })
  memory_limit?: number;

  @ApiPropertyOptional({
    description: 'The limit of the session’s disk was reached meanwhile, in bytes or in files: its commands were ended, or could not write',
    example: true,
  })
  disk_limit?: boolean;

  @ApiPropertyOptional({
    type: [DeniedDto],
    description: 'What the session’s programs could not reach meanwhile. Absent if nothing was refused',
  })
  network_denied?: DeniedDto[];
}
