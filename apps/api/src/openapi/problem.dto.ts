import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { ErrorCode } from '@sandbox/errors';
import { problemType } from '../problems/problem';

export class FieldErrorDto {
  @ApiProperty({ example: 'session_id' })
  field: string;

  @ApiProperty({ example: 'must have 1 to 256 characters' })
  message: string;
}

export class ProblemDto {
  @ApiProperty({ format: 'uri', description: 'Names the kind of problem; one for each code', example: problemType('NOT_FOUND') })
  type: string;

  @ApiProperty({ description: 'Summary of the kind of problem', example: 'Not found' })
  title: string;

  @ApiProperty({ type: 'integer', description: 'HTTP status', example: 404 })
  status: number;

  @ApiProperty({ description: 'What is wrong with this request', example: 'There is no such file or directory.' })
  detail: string;

  @ApiProperty({ enum: Object.values(ErrorCode), description: 'Stable name of the kind of problem, for programs', example: 'NOT_FOUND' })
  code: ErrorCode;

  @ApiProperty({ description: 'As in X-Request-Id, and in the log', example: 'b8a3b6f0-7f0e-4f43-9e53-0c8f8b3f6f11' })
  request_id: string;

  @ApiPropertyOptional({ type: [FieldErrorDto], description: 'With 422: what is wrong, by field' })
  errors?: FieldErrorDto[];
}
