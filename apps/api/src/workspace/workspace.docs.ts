import { applyDecorators } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiExtraModels, ApiHeader, ApiResponse, getSchemaPath } from '@nestjs/swagger';
import { ETAG_HEADER } from './preconditions.docs';
import { WorkspaceContentDto, WriteContentDto } from './dto/workspace.dto';

const BYTES = { type: 'string', format: 'binary' } as const;

/** Documents the two forms in which a file is answered. */
export function ApiFileContent(): MethodDecorator {
  return applyDecorators(
    ApiExtraModels(WorkspaceContentDto),
    ApiHeader({
      name: 'Range',
      required: false,
      description:
        '`bytes=first-last`, `bytes=first-` or `bytes=-count`. A request without a preference in Accept gets the range as application/octet-stream',
      schema: { type: 'string', example: 'bytes=0-1023' },
    }),
    ApiHeader({
      name: 'If-Range',
      required: false,
      description: 'With Range: an entity tag. If the file has another one by now, all of it is answered (200)',
      schema: { type: 'string', example: '"2a.4d2.18a1b2c3d4e5f601.18a1b2c3d4e5f601"' },
    }),
    ApiResponse({
      status: 200,
      description: 'The file',
      headers: ETAG_HEADER,
      content: {
        'application/json': { schema: { $ref: getSchemaPath(WorkspaceContentDto) } },
        'application/octet-stream': { schema: BYTES },
      },
    }),
    ApiResponse({
      status: 206,
      description: 'The part of the file that Range asks for',
      headers: {
        ...ETAG_HEADER,
        'Content-Range': { description: 'Which part, of how many bytes', schema: { type: 'string', example: 'bytes 0-1023/4096' } },
      },
      content: {
        'application/json': { schema: { $ref: getSchemaPath(WorkspaceContentDto) } },
        'application/octet-stream': { schema: BYTES },
      },
    }),
    ApiResponse({ status: 304, description: 'The file is what If-None-Match names', headers: ETAG_HEADER }),
  );
}

/** Documents the two forms in which a file is sent. */
export function ApiFileBody(): MethodDecorator {
  return applyDecorators(
    ApiExtraModels(WriteContentDto),
    ApiConsumes('application/octet-stream', 'application/json'),
    ApiBody({ schema: { oneOf: [BYTES, { $ref: getSchemaPath(WriteContentDto) }] } }),
  );
}

/** Documents the multipart body of an upload. */
export function ApiUploadBody(): MethodDecorator {
  return ApiBody({ schema: { type: 'object', properties: { file: BYTES }, required: ['file'], additionalProperties: false } });
}
