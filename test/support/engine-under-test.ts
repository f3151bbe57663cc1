import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The image of the sandboxes. It has Python 3 and sh; the test set-up makes it. */
export const TEST_IMAGE = process.env.SANDBOX_TEST_IMAGE ?? 'sandbox-api-agent:latest';
/**
 * The way that frames take between the API and its sandboxes. SANDBOX_TEST_CHANNEL=exec makes every
 * test use the engine's stream.
 */
export const TEST_CHANNEL = process.env.SANDBOX_TEST_CHANNEL === 'exec' ? 'exec' : 'direct';
/** CHANNEL_DIRECTORY of the services under test. */
export const TEST_CHANNEL_DIRECTORY =
  TEST_CHANNEL === 'exec'
    ? ''
    : (process.env.SANDBOX_TEST_CHANNEL_DIRECTORY ?? join(tmpdir(), `sandbox-api-test-${process.getuid?.() ?? 0}`));
/** The OCI runtime of the sandboxes; empty for the engine's default. */
export const TEST_RUNTIME = process.env.SANDBOX_TEST_RUNTIME ?? '';

/**
 * Whether sandboxes run under gVisor. Its own kernel answers their system calls. It lacks some
 * calls, gives other errors, and ignores our seccomp profile. It does not protect PID 1 from
 * SIGKILL and does not bound inodes. Here, no cgroup bounds its memory or its processes.
 */
export const UNDER_GVISOR = TEST_RUNTIME === 'runsc';
/** Declares a test of what gVisor does not promise. */
export const itOnHostKernel = UNDER_GVISOR ? it.skip : it;
