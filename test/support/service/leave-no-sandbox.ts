import { UNDER_GVISOR } from '../engine-under-test';
import { leaveNoContainer } from '../leave-no-container';
import { deployments } from './deployment';

/** Jest reads this before each file of e2e. The sandboxes of other runtimes cost nothing idle. */
if (UNDER_GVISOR)
  leaveNoContainer(
    async () => (await Promise.all(deployments.map((each) => each.containers()))).flat(),
    async ({ Id }) => Promise.all(deployments.map((each) => each.removeContainer(Id).catch(() => undefined))),
  );
