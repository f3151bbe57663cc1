/** Asks the Docker engine directly: for the floors, and to clean up at the end. */
import { randomBytes } from 'node:crypto';
import { cpus, totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import Docker from 'dockerode';
import { refuseWhenEnding } from './cleanup.mjs';
import { withWidth } from './measure.mjs';

export const docker = new Docker();
export const IMAGE = process.env.SANDBOX_TEST_IMAGE ?? 'sandbox-api-agent:latest';
/** The label of the floors' containers. */
const FLOOR_LABEL = `sandbox-api.bench=${randomBytes(4).toString('hex')}`;
const REMOVALS_AT_A_TIME = 8;
/** The engine puts a header before each piece of output: stream, three zeros, length. */
const HEADER_BYTES = 8;

/** Describes the machine in one line. */
export async function describeMachine() {
  const { ServerVersion, KernelVersion, CgroupVersion } = await docker.info();
  const [{ model }] = cpus();
  return `${cpus().length} × ${model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB; Linux ${KernelVersion}; Docker ${ServerVersion} (cgroup v${CgroupVersion ?? 1}); Node ${process.version}`;
}

/**
 * Runs the floor: a plain `docker exec` through dockerode. Reads its output to the end and asks for
 * its exit code.
 * @param keep whether to return the output
 * @returns its length, the milliseconds until its first byte, and the output
 */
export async function plainExec(containerId, argv, { stdin, keep = false } = {}) {
  const began = performance.now();
  const takesInput = stdin !== undefined;
  const exec = await docker.getContainer(containerId).exec({ Cmd: argv, AttachStdout: true, AttachStderr: true, AttachStdin: takesInput });
  const stream = await exec.start({ hijack: true, stdin: takesInput });
  let firstMs = null;
  let bytes = 0;
  const pieces = [];
  const demux = demultiplexer((piece) => {
    firstMs ??= performance.now() - began;
    bytes += piece.length;
    if (keep) pieces.push(piece);
  });
  await new Promise((resolve, reject) => {
    stream.on('data', demux).on('end', resolve).on('error', reject);
    if (takesInput) stream.end(stdin);
  });
  const { ExitCode } = await exec.inspect();
  if (ExitCode !== 0) throw new Error(`docker exec: ${ExitCode}`);
  return { bytes, firstMs, output: Buffer.concat(pieces) };
}

/**
 * Removes the engine's headers from a stream without copying it, because an expensive floor would
 * flatter us.
 */
function demultiplexer(onPiece) {
  let header = Buffer.alloc(0);
  let left = 0;
  return (data) => {
    for (let at = 0; at < data.length;) {
      if (left > 0) {
        const piece = data.subarray(at, at + left);
        onPiece(piece);
        left -= piece.length;
        at += piece.length;
        continue;
      }
      const part = data.subarray(at, at + HEADER_BYTES - header.length);
      header = Buffer.concat([header, part]);
      at += part.length;
      if (header.length < HEADER_BYTES) return;
      left = header.readUInt32BE(4);
      header = Buffer.alloc(0);
    }
  };
}

/**
 * Makes the engine calls of `docker run --rm --network none IMAGE true`. (With Docker's default
 * network it is slower.)
 */
export async function dockerRun() {
  const container = await createFloor({ Cmd: ['true'], HostConfig: { NetworkMode: 'none', AutoRemove: true } });
  const removed = container.wait({ condition: 'removed' });
  await container.start();
  const { StatusCode } = await removed;
  if (StatusCode !== 0) throw new Error(`docker run: ${StatusCode}`);
}

/** Creates, starts and removes a container that waits. */
export async function createAndRemove() {
  const container = await createFloor({ Cmd: ['sleep', '1000'], HostConfig: { NetworkMode: 'none' } });
  await container.start();
  await container.remove({ force: true });
}

function createFloor(spec) {
  refuseWhenEnding();
  const [name, value] = FLOOR_LABEL.split('=');
  return docker.createContainer({ Image: IMAGE, Labels: { [name]: value }, ...spec });
}

export const removeFloors = () => removeLabelled(FLOOR_LABEL);

/** An engine with a thousand containers is slow to end them. */
const REMOVAL_MS = 1_800_000;

/**
 * Removes containers until none is left. The engine may still be creating one for a process that is
 * gone. A busy engine fails to end a container in time, and then is asked again.
 */
export async function removeLabelled(label) {
  const filters = { label: [label] };
  const giveUpAt = performance.now() + REMOVAL_MS;
  for (let quiet = 0; quiet < 2;) {
    const found = await docker.listContainers({ all: true, filters });
    quiet = found.length === 0 ? quiet + 1 : 0;
    const passed = performance.now() < giveUpAt ? RETRIED : GONE;
    await withWidth(REMOVALS_AT_A_TIME, found, ({ Id }) => removeContainer(Id, passed));
    await sleep(300);
  }
}

/** It is gone already, or somebody else is removing it. */
const GONE = [404, 409];
const RETRIED = [...GONE, 500];

async function removeContainer(id, passed) {
  try {
    await docker.getContainer(id).remove({ force: true, v: true });
  } catch (error) {
    if (!passed.includes(error.statusCode)) throw error;
  }
}
