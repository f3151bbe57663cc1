import { Events } from '../../support/service/events';
import { Tools } from '../../support/service/mcp';
import { TestDeployment } from '../../support/service/deployment';
import { ALICE, type Client, Service } from '../../support/service/service';

jest.setTimeout(60_000);

const deployment = new TestDeployment();
let service: Service;
let rest: Client;
let tools: Tools;

beforeAll(async () => {
  service = await Service.start({ deployment });
  rest = service.client(ALICE);
  tools = await Tools.connect(service, ALICE);
});

afterAll(async () => {
  await tools?.close();
  await service?.stop();
  await deployment.removeAll();
});

const SESSION = 'output';
/** A program that prints and then never ends. */
const PRINTS = `python3 -c 'import time; print("step 1"); time.sleep(600)'`;
/** The same program, which also makes a file once it has printed. */
const PRINTS_AND_TELLS = `python3 -c 'import time; print("step 1"); open("printed", "w"); time.sleep(600)'`;
const UNTIL_PRINTED = 'until [ -e printed ]; do sleep 0.05; done';

interface JobOutput {
  data: string;
}

const jobs = (session: string, path = ''): string => `/sessions/${session}/jobs${path}`;

async function startJob(command: string, more: object = {}, session = SESSION): Promise<string> {
  const { body } = await rest.request<{ job_id: string }>('POST', jobs(session), { command, ...more });
  return body.job_id;
}

/** @returns a job's output up to the end of its first line, or until it was silent for 20 s */
async function firstLine(id: string): Promise<string> {
  let text = '';
  while (!text.endsWith('\n')) {
    const { body } = await rest.request<JobOutput>('GET', jobs(SESSION, `/${id}/output?wait_seconds=20&offset=${text.length}`));
    if (!body.data) break;
    text += body.data;
  }
  return text;
}

/** @returns the output that a command has written when it has made the file `printed` */
async function outputOncePrinted(session: string, more: object): Promise<string> {
  await rest.run(session, 'rm -f printed');
  const id = await startJob(PRINTS_AND_TELLS, more, session);
  await rest.run(session, UNTIL_PRINTED);
  return (await rest.request<JobOutput>('GET', jobs(session, `/${id}/output`))).body.data;
}

describe('The output of a Python program', () => {
  it('is in the answer when the command runs out of time', async () => {
    const stopped = { stdout: 'step 1\n', timed_out: true };
    expect(await rest.run(SESSION, PRINTS, { timeout: 5 })).toMatchObject(stopped);
    const { structuredContent } = await tools.call('execute', { session_id: SESSION, command: PRINTS, timeout: 5 });
    expect(structuredContent).toMatchObject(stopped);
  });

  it('is in the answer when the program is killed', async () => {
    const { stdout, exit_code } = await rest.run(SESSION, `rm -f printed; ${PRINTS_AND_TELLS} & ${UNTIL_PRINTED}; kill -9 $!; wait $!`);
    expect([stdout, exit_code]).toEqual(['step 1\n', 137]);
  });

  it('comes at once when the answer is a stream of events', async () => {
    const events = await Events.execute(rest, SESSION, PRINTS, { timeout: 20 });
    let text = '';
    while (!text.endsWith('\n')) {
      const next = await events.next();
      if (next === null) break;
      if (next.event === 'stdout') text += next.data.data as string;
    }
    events.close();
    expect(text).toBe('step 1\n');
  });

  it('can be read, by REST and MCP, when the job still runs', async () => {
    const job_id = await startJob(PRINTS);
    expect(await firstLine(job_id)).toBe('step 1\n');
    const { structuredContent } = await tools.call('job_output', { session_id: SESSION, job_id, wait_seconds: 30 });
    expect(structuredContent).toMatchObject({ state: 'running', data: 'step 1\n' });
    await rest.request('DELETE', jobs(SESSION, `/${job_id}`));
  });

  it('is buffered when the request says so, also by an empty value', async () => {
    expect(await outputOncePrinted(SESSION, {})).toBe('step 1\n');
    expect(await outputOncePrinted(SESSION, { env: { PYTHONUNBUFFERED: '' } })).toBe('');
  });

  it('is buffered when the session says so', async () => {
    await rest.request('POST', '/sessions', { session_id: 'buffered', env: { PYTHONUNBUFFERED: '' } });
    expect(await outputOncePrinted('buffered', {})).toBe('');
  });
});

/** The ways of docs/rest.md for other programs. No command ends, but its output comes at once. */
it.each([
  ['the shell', 'echo step 1; sleep 600'],
  ['perl', `perl -e '$| = 1; print "step 1\\n"; sleep 600'`],
  ['awk', `awk 'BEGIN { print "step 1"; fflush(); while (1); }'`],
  ['gawk with stdbuf', `(echo step 1; sleep 600) | stdbuf -oL gawk '{ print }'`],
  ['sed', '(echo step 0; sleep 600) | sed -u s/0/1/'],
  ['grep', '(echo step 1; sleep 600) | grep --line-buffered step'],
  ['jq', `(echo '"step 1"'; sleep 600) | jq -r --unbuffered .`],
  ['a C program with stdbuf', '(echo step 0; sleep 600) | stdbuf -oL tr 0 1'],
])('%s prints at once when it runs in a sandbox', async (_name, command) => {
  const id = await startJob(command);
  expect(await firstLine(id)).toBe('step 1\n');
  await rest.request('DELETE', jobs(SESSION, `/${id}`));
});
