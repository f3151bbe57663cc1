import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { ChannelDirectories } from './channel-directories';

describe('ChannelDirectories', () => {
  let parent: string;
  const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);

  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'channels-'));
    warn.mockClear();
  });
  afterEach(() => rmSync(parent, { recursive: true, force: true }));

  const directories = (CHANNEL_DIRECTORY = parent, DEPLOYMENT = 'test'): ChannelDirectories =>
    new ChannelDirectories({ CHANNEL_DIRECTORY, DEPLOYMENT });
  /** The directory of the one deployment. */
  const base = (): string => join(parent, readdirSync(parent)[0]!);
  const isOld = (path: string): void => utimesSync(path, new Date(0), new Date(0));

  it('makes a directory that a sandbox can enter, below one that only its own user can', async () => {
    const name = await directories().makeDirectory();
    expect(readdirSync(base())).toEqual([name]);
    expect([statSync(base()).mode & 0o777, statSync(join(base(), name!)).mode & 0o777]).toEqual([0o700, 0o755]);
    expect(warn).not.toHaveBeenCalled();
  });

  it('keeps deployments apart', async () => {
    await directories(parent, 'one').makeDirectory();
    await directories(parent, 'other').makeDirectory();
    expect(readdirSync(parent)).toHaveLength(2);
  });

  it('mounts the directory read-only', async () => {
    const all = directories();
    const name = await all.makeDirectory();
    expect(all.mount(name!)).toEqual({
      Type: 'bind',
      Source: join(base(), name!),
      Target: '/run/sandbox',
      ReadOnly: true,
      BindOptions: { Propagation: 'rprivate' },
    });
  });

  it('does nothing when CHANNEL_DIRECTORY is empty', async () => {
    const none = directories('');
    expect([none.areOn, await none.makeDirectory(), await none.listen('0123456789ab')]).toEqual([false, null, null]);
  });

  const CHANGES: [string, (base: string) => void][] = [
    [
      'is a link',
      (path) => (rmSync(path, { recursive: true }), mkdirSync(`${path}-target`, { mode: 0o700 }), symlinkSync(`${path}-target`, path)),
    ],
    ['is a file', (path) => (rmSync(path, { recursive: true }), writeFileSync(path, ''))],
    ['is open to others', (path) => chmodSync(path, 0o711)],
  ];
  // Only root can give a directory away.
  if (process.getuid?.() === 0) CHANGES.push(['belongs to another user', (path) => chownSync(path, 12_345, 12_345)]);

  it.each(CHANGES)('says so, and makes no directory, when that of the deployment %s', async (_what, change) => {
    await directories().makeDirectory();
    const path = base();
    change(path);
    const all = directories();
    expect(await all.makeDirectory()).toBeNull();
    expect(await all.listen('0123456789ab')).toBeNull();
    expect(all.areOn).toBe(false);
    expect(warn).toHaveBeenCalledTimes(1);
    if (!statSync(path).isDirectory()) return;
    // It removes nothing there either.
    const before = readdirSync(path);
    for (const name of before) isOld(join(path, name));
    await all.sweep(new Set());
    for (const name of before) await all.removeDirectory(name);
    expect(readdirSync(path)).toEqual(before);
  });

  it('listens in the directory of that name, and in no other place', async () => {
    const all = directories();
    const name = await all.makeDirectory();
    const listener = await all.listen(name!);
    expect(readdirSync(join(base(), name!))).toEqual([listener!.name]);
    listener!.close();
    mkdirSync(join(base(), 'other'));
    for (const wrong of [undefined, '', '.', '..', 'other', `../${name}`, '0123456789ab']) expect(await all.listen(wrong)).toBeNull();
    expect(warn).not.toHaveBeenCalled();
  });

  it('removes sockets when they are a minute old', async () => {
    const all = directories();
    const name = (await all.makeDirectory())!;
    for (const file of ['old', 'young']) writeFileSync(join(base(), name, file), '');
    isOld(join(base(), name, 'old'));
    const listener = await all.listen(name);
    while (existsSync(join(base(), name, 'old'))) await new Promise(setImmediate);
    expect(readdirSync(join(base(), name)).sort()).toEqual([listener!.name, 'young'].sort());
    listener!.close();
  });

  it('sweeps directories when they are a minute old and no container has them', async () => {
    const all = directories();
    const [used, unused, young] = [(await all.makeDirectory())!, (await all.makeDirectory())!, (await all.makeDirectory())!];
    for (const name of [used, unused]) isOld(join(base(), name));
    await all.sweep(new Set([used, undefined]));
    expect(readdirSync(base()).sort()).toEqual([used, young].sort());
  });

  it('removes a directory with its sockets, and minds none that is not there', async () => {
    const all = directories();
    const name = (await all.makeDirectory())!;
    writeFileSync(join(base(), name, 'socket'), '');
    await all.removeDirectory(name);
    await all.removeDirectory(name);
    await all.removeDirectory('..');
    expect(readdirSync(base())).toEqual([]);
  });

  it('is the cause of an error when the error names its path', async () => {
    const all = directories();
    const name = (await all.makeDirectory())!;
    expect(all.isCauseOf(new Error(`bind source path does not exist: ${join(base(), name)}`))).toBe(true);
    expect(all.isCauseOf(new Error('no such image'))).toBe(false);
    all.turnOff('the engine does not share it');
    expect(await all.makeDirectory()).toBeNull();
    // The next call that was under way fails for the same reason.
    expect(all.isCauseOf(new Error(`bind source path does not exist: ${join(base(), name)}`))).toBe(true);
    expect(warn).toHaveBeenCalledTimes(1);
  });

  describe('a note about a container', () => {
    it('is read as it was written last, by another process too, and is not in the container’s directory', async () => {
      const name = (await directories().makeDirectory())!;
      expect(await directories().readNote(name)).toBe('');
      for (const text of ['["é\\"\\n"]', '[]']) {
        await directories().writeNote(name, text);
        expect(await directories().readNote(name)).toBe(text);
      }
      expect(readdirSync(join(base(), name))).toEqual([]);
      expect(readdirSync(base())).toEqual([name, `${name}.note`]);
    });

    it('cannot be read when there is no directory to have it in', async () => {
      expect(await directories('').readNote('0123456789ab')).toBeNull();
      expect(await directories().readNote(undefined)).toBeNull();
      expect(await directories().readNote('../x')).toBeNull();
      await directories().writeNote('../x', 'text');
      expect(readdirSync(parent)).toHaveLength(1);
    });

    it('goes with its container, or once no container has it', async () => {
      const [removed, left, used] = [
        await directories().makeDirectory(),
        await directories().makeDirectory(),
        await directories().makeDirectory(),
      ];
      for (const name of [removed, left, used]) await directories().writeNote(name!, 'text');
      writeFileSync(join(base(), `${left}.note.0123456789ab`), 'half');
      await directories().removeDirectory(removed!);
      for (const each of readdirSync(base())) isOld(join(base(), each));
      await directories().sweep(new Set([used!]));
      expect(readdirSync(base()).sort()).toEqual([used, `${used}.note`]);
    });
  });
});
