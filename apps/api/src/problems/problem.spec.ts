import { type ArgumentsHost, BadRequestException, ForbiddenException, NotFoundException } from '@nestjs/common';
import { ErrorCode, ERRORS, SandboxError } from '@sandbox/errors';
import { ProblemFilter } from './problem.filter';
import { toProblem, toSandboxError } from './problem';

describe('toProblem', () => {
  it('keeps its own members when an extension has the name of one', () => {
    const error = new SandboxError(ErrorCode.NOT_FOUND, 'Gone.', { extensions: { status: 200, code: 'OK', hint: 'h' } });
    expect(toProblem(error, 'id')).toMatchObject({ status: 404, code: 'NOT_FOUND', hint: 'h' });
  });

  it('gives a type of its own when the code is another', () => {
    const types = Object.values(ErrorCode).map((code) => toProblem(new SandboxError(code, ''), 'id').type);
    expect(new Set(types).size).toBe(Object.keys(ERRORS).length);
  });
});

describe('toSandboxError', () => {
  it.each<[unknown, ErrorCode]>([
    [new BadRequestException('Failed to decode param /root/secret'), 'BAD_REQUEST'],
    [new NotFoundException('Cannot GET /x'), 'NOT_FOUND'],
    [Object.assign(new Error('inner'), { status: 404, expose: true }), 'NOT_FOUND'],
    [Object.assign(new Error('inner'), { status: 404, expose: false }), 'INTERNAL_ERROR'],
    [Object.assign(new Error('inner'), { status: 412, expose: true }), 'PRECONDITION_FAILED'],
    [Object.assign(new Error('inner'), { status: 416, expose: true }), 'RANGE_NOT_SATISFIABLE'],
    // Nothing here throws it, so it is not known what it would say.
    [new ForbiddenException('inner'), 'INTERNAL_ERROR'],
    [new Error('connect ENOENT /var/run/docker.sock'), 'INTERNAL_ERROR'],
    ['text', 'INTERNAL_ERROR'],
    [null, 'INTERNAL_ERROR'],
    [undefined, 'INTERNAL_ERROR'],
  ])('shows no word of the exception when it is %j', (exception, code) => {
    const error = toSandboxError(exception);
    expect(error.code).toBe(code);
    expect(error.message).not.toMatch(/inner|docker|secret|Cannot/);
    expect(error.cause).toBe(exception);
  });
});

describe('ProblemFilter', () => {
  it.each([
    ['chunks', { chunkedEncoding: true, hasHeader: () => false }, 'closed'],
    ['a length', { chunkedEncoding: false, hasHeader: () => true }, 'closed'],
    ['neither, as with HTTP/1.0', { chunkedEncoding: false, hasHeader: () => false }, 'reset'],
  ])('cuts the answer, and writes nothing into it, when it has begun (%s)', (_form, form, how) => {
    const cuts: string[] = [];
    const response = { ...form, headersSent: true, destroy: () => cuts.push('closed'), setHeader: jest.fn(), end: jest.fn() };
    const request = { socket: { resetAndDestroy: () => cuts.push('reset') } };
    const host = { switchToHttp: () => ({ getRequest: () => request, getResponse: () => response }) };
    new ProblemFilter({} as never).catch(new SandboxError(ErrorCode.SESSION_DELETED, ''), host as ArgumentsHost);
    expect(cuts).toEqual([how]);
    expect([...response.setHeader.mock.calls, ...response.end.mock.calls]).toEqual([]);
  });
});
