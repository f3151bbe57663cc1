import { applyDecorators } from '@nestjs/common';
import { ApiExtraModels, ApiResponse, getSchemaPath } from '@nestjs/swagger';
import { REPLAYED } from '../idempotency/idempotency.docs';
import { ProblemDto } from '../openapi/problem.dto';
import { EVENT_STREAM } from '../request/event-stream';
import { ExecuteExitDto, ExecuteResultDto, ExecuteStartDto, OutputEventDto } from './execute.dto';

const EVENTS = `Server-Sent Events, each with one line of JSON: \`start\` (${ExecuteStartDto.name}), \`stdout\` and \`stderr\` (${OutputEventDto.name}) as the command writes, a comment after 15 s of silence, and last \`exit\` (${ExecuteExitDto.name}) or \`error\` (${ProblemDto.name}). Output is not cut; a client that reads slowly makes the command wait.`;

/** Documents the two forms of an answer to a command. */
export function ApiExecuteAnswers(): MethodDecorator {
  return applyDecorators(
    ApiExtraModels(ExecuteResultDto, ExecuteStartDto, ExecuteExitDto, OutputEventDto),
    ApiResponse({
      status: 200,
      description: 'How the command ended, whatever its exit code; or, with `Accept: text/event-stream`, its events',
      headers: REPLAYED,
      content: {
        'application/json': { schema: { $ref: getSchemaPath(ExecuteResultDto) } },
        [EVENT_STREAM]: {
          schema: { type: 'string', description: EVENTS },
          example:
            'event: start\ndata: {"container_id":"4f1d0c2b9a7e","session_created":false,"session_restarted":false}\n\nevent: stdout\ndata: {"data":"hello\\n"}\n\nevent: exit\ndata: {"exit_code":0,"execution_time":0.004,"timed_out":false,"truncated":false,"oom_killed":false}\n\n',
        },
      },
    }),
  );
}
