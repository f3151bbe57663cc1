import { testOwner } from '../../support/adapters/docker';
import type { RuntimeUnderTest } from './runtime-under-test';

/** What a SandboxRuntime remembers of the network of a session. */
export function describeNetwork(subject: RuntimeUnderTest): void {
  describe('the network', () => {
    it('finds the rules of a session’s network again, the last ones, when they were noted', async () => {
      const offering = subject.create({ EGRESS_ALLOW: '*' });
      const owner = testOwner();
      const { id } = await offering.ensureSandbox(owner);
      const found = async () => (await offering.ensureSandbox(owner)).settings.network;
      // Without a place to note them, nobody can know them. Then nothing may be reached.
      const isNoted = subject.notesNetwork;
      expect(await found()).toEqual(isNoted ? undefined : { allow: [] });
      for (const allow of [['a.org', '*.é"'], []]) {
        await offering.rememberNetwork(id, { allow });
        expect(await found()).toEqual({ allow: isNoted ? allow : [] });
      }
      await offering.removeSandbox(owner.key);
      await offering.ensureSandbox(owner);
      expect(await found()).toEqual(isNoted ? undefined : { allow: [] });
    });
  });
}
