import { PREPARE_APT } from '../support/network/registries';
import { RegistryService } from '../support/service/registry-service';

/** The packages are large. */
jest.setTimeout(900_000);

const PROGRAM = 'package main\\n\\nimport "fmt"\\n\\nfunc main() { fmt.Println("hello from Go") }\\n';
const BUILD = `mkdir hello && cd hello && go mod init example.test/hello && printf '${PROGRAM}' > main.go && go build && ./hello`;

describe('A session with a disk', () => {
  let registries: RegistryService;

  beforeAll(async () => {
    registries = await RegistryService.start();
  });
  afterAll(() => registries?.stop());

  it('has room for Go, which needs no option', async () => {
    await registries.create('go', ...registries.sources);
    await registries.run('go', PREPARE_APT);
    const names =
      '$(apt-cache -c apt/settings depends golang-go | grep -o "golang-[0-9.]*-go") $(apt-cache -c apt/settings depends golang-src | grep -o "golang-[0-9.]*-src")';
    await registries.run(
      'go',
      `apt-get -c apt/settings -q download ${names} && for file in *.deb; do dpkg -x $file root; done && rm *.deb`,
    );
    await registries.run('go', 'mkdir -p .local/bin && ln -s $(readlink -f root/usr/lib/go-*/bin/go) .local/bin/go');
    expect((await registries.run('go', BUILD)).stdout).toMatch(/hello from Go\n$/);
    // What it keeps for the next build stays with the workspace.
    expect((await registries.run('go', 'go env GOCACHE GOPATH GOTMPDIR; ls -d .cache/go-build')).stdout).toContain('.cache/go-build');
  });
});
