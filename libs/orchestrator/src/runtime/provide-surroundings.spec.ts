import { rootCertificates } from 'node:tls';
import { Logger } from '@nestjs/common';
import { ErrorCode, SandboxError } from '@sandbox/errors';
import type { Channel } from '../channel/channel';
import type { Surroundings } from '../surroundings/surroundings';
import { provideSurroundings } from './provide-surroundings';

const SURROUNDINGS: Surroundings = {
  variables: { A: 'b' },
  directories: { '/run/surroundings': 4096 },
  files: { '/run/surroundings/a': 'content' },
  trust: { directory: '/run/surroundings', certificates: 'PEM' },
};

describe('provideSurroundings', () => {
  const sendRequest = jest.fn<Promise<Record<string, unknown>>, unknown[]>();
  const provide = (open: boolean) => provideSurroundings({ open, sendRequest } as unknown as Channel, SURROUNDINGS, 'c0ffee');
  const full = new SandboxError(ErrorCode.STORAGE_FULL, 'There is no space left.');
  let warn: jest.SpyInstance;

  beforeEach(() => {
    sendRequest.mockReset();
    warn = jest.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined);
  });
  afterEach(() => warn.mockRestore());

  const requestWith = (otherwise: string | null) => [
    { op: 'provide_files', files: SURROUNDINGS.files, trust: { ...SURROUNDINGS.trust, otherwise } },
    { deadlineMs: 10_000 },
  ];

  it('gives the agent the files and the certificates alone when the image trusts some', async () => {
    sendRequest.mockResolvedValue({ trusted: true });
    await provide(true);
    expect(sendRequest.mock.calls).toEqual([requestWith(null)]);
    expect(warn).not.toHaveBeenCalled();
  });

  it('gives it what Node trusts as well when the image trusts none', async () => {
    sendRequest.mockResolvedValueOnce({ trusted: false }).mockResolvedValueOnce({ trusted: true });
    await provide(true);
    expect(sendRequest.mock.calls).toEqual([requestWith(null), requestWith(`${rootCertificates.join('\n')}\n`)]);
  });

  it('goes on, and says so in the log, when the sandbox has no room', async () => {
    sendRequest.mockRejectedValue(full);
    await provide(true);
    expect(warn.mock.calls).toEqual([[expect.objectContaining({ sandbox: 'c0ffee', error: 'There is no space left.' })]]);
  });

  it('fails when the channel is broken', async () => {
    sendRequest.mockRejectedValue(full);
    await expect(provide(false)).rejects.toBe(full);
  });
});
