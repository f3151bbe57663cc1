import { spawn } from 'node:child_process';
import type { RequestListener } from 'node:http';

const END_OF_HEAD = Buffer.from('\r\n\r\n');

/** Serves the repositories of a directory by `git http-backend`, a CGI program, with pushes. */
export function gitOverHttp(directory: string): RequestListener {
  return (request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://localhost');
    const { 'content-type': type = '', 'content-encoding': encoding = '', 'git-protocol': protocol = '' } = request.headers;
    const child = spawn('git', ['http-backend'], {
      env: {
        PATH: process.env.PATH,
        GIT_PROJECT_ROOT: directory,
        GIT_HTTP_EXPORT_ALL: '1',
        REQUEST_METHOD: request.method,
        PATH_INFO: decodeURIComponent(pathname),
        QUERY_STRING: searchParams.toString(),
        CONTENT_TYPE: type,
        HTTP_CONTENT_ENCODING: encoding,
        GIT_PROTOCOL: String(protocol),
        // Who may push.
        REMOTE_USER: 'git',
      },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    child.stdin.on('error', () => undefined);
    request.pipe(child.stdin);
    let head = Buffer.alloc(0);
    const readHead = (data: Buffer): void => {
      head = Buffer.concat([head, data]);
      const end = head.indexOf(END_OF_HEAD);
      if (end === -1) return;
      child.stdout.off('data', readHead);
      const fields = head
        .toString('latin1', 0, end)
        .split('\r\n')
        .map((line) => line.split(/: */) as [string, string]);
      const status = fields.find(([name]) => name === 'Status')?.[1] ?? '200';
      response.writeHead(Number.parseInt(status, 10), Object.fromEntries(fields.filter(([name]) => name !== 'Status')));
      response.write(head.subarray(end + END_OF_HEAD.length));
      child.stdout.pipe(response);
    };
    child.stdout.on('data', readHead);
  };
}
