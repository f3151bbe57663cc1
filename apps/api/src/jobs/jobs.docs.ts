import { applyDecorators } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiExtraModels, ApiHeader, ApiResponse, getSchemaPath } from '@nestjs/swagger';
import { MAX_JOB_INPUT_BYTES } from '@sandbox/orchestrator';
import { ProblemDto } from '../openapi/problem.dto';
import { OutputEventDto } from '../execute/execute.dto';
import { EVENT_STREAM } from '../request/event-stream';
import { BYTES } from '../request/media-types';
import { OUTPUT_OFFSET } from './job-bytes';
import { GapEventDto, JobDto, JobOutputDto } from './jobs.dto';

const EVENTS = `Server-Sent Events, each with one line of JSON: \`stdout\` and \`stderr\` (${OutputEventDto.name}), \`gap\` (${GapEventDto.name}), and last \`end\` (${JobDto.name}) or \`error\` (${ProblemDto.name}). Sent back as \`Last-Event-ID\`, an event’s id continues after it.`;

const RAW =
  'The exact bytes of one stream, until the job has ended and all of it was sent, or `limit` bytes were. With `wait_seconds`, until so long has passed and what was there then was sent. Without `offset`, from the oldest byte that is kept. With an `offset` whose bytes are dropped already: 416. A transfer that breaks off (its sandbox was lost, or the job dropped bytes before a slow client read them) ends without the last chunk, so that the client sees an error. Go on with `offset`: X-Output-Offset plus the bytes received.';

/** Documents the forms in which a job's output is answered. */
export function ApiJobOutput(): MethodDecorator {
  return applyDecorators(
    ApiExtraModels(JobOutputDto, OutputEventDto, GapEventDto, JobDto),
    ApiHeader({
      name: 'Last-Event-ID',
      required: false,
      description: 'With text/event-stream: where to go on',
      schema: { type: 'string', example: '9-0' },
    }),
    ApiResponse({
      status: 200,
      description:
        'What there is past the offset; or, with `Accept: text/event-stream` or `application/octet-stream`, the output as it is produced, until the job ends',
      headers: {
        [OUTPUT_OFFSET]: {
          description: 'With application/octet-stream: the offset of the first byte',
          schema: { type: 'integer', example: 0 },
        },
      },
      content: {
        'application/json': { schema: { $ref: getSchemaPath(JobOutputDto) } },
        [EVENT_STREAM]: {
          schema: { type: 'string', description: EVENTS },
          example: 'event: stdout\nid: 9-0\ndata: {"data":"compiled\\n"}\n\n',
        },
        [BYTES]: { schema: { type: 'string', format: 'binary', description: RAW } },
      },
    }),
  );
}

/** Documents the body that adds to a job's input. */
export function ApiJobInput(): MethodDecorator {
  return applyDecorators(
    ApiConsumes('application/octet-stream'),
    ApiBody({ schema: { type: 'string', format: 'binary', maxLength: MAX_JOB_INPUT_BYTES } }),
  );
}
