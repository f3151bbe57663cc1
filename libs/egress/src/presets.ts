/** The hosts of one owner, and the hosts that they redirect to. */
interface HostGroup {
  readonly what: string;
  /** The owner's page that names the hosts. */
  readonly source: string;
  /** How a host is known that the page does not name, or what else is to be said of the hosts. */
  readonly note?: string;
  /** Rules. One without a port means the preset's ports. */
  readonly rules: readonly string[];
}

interface Preset {
  readonly ports: readonly number[];
  readonly groups: readonly HostGroup[];
}

/**
 * GitHub names these wildcards itself. Releases, archives and raw files come from hosts below them,
 * and GitHub changes those: releases were at `objects`, then at `release-assets`.
 */
const GITHUB: HostGroup = {
  what: 'GitHub: repositories, archives, releases, raw files, packages',
  source: 'https://docs.github.com/en/actions/reference/runners/self-hosted-runners',
  rules: ['github.com', '*.github.com', '*.githubusercontent.com'],
};

/** Google Cloud Storage, which Go's and GitLab's hosts redirect to. All owners share its name. */
const GOOGLE_STORAGE = 'storage.googleapis.com';

/** What package managers ask and are sent on to. No web sites and no documentation. */
const PACKAGES: Preset = {
  ports: [80, 443],
  groups: [
    {
      what: 'npm: the registry, its web API, GitHub’s registry',
      source: 'https://docs.npmjs.com/cli/using-npm/registry',
      note: 'Old lock files have the names in .com. npm.pkg.github.com is GitHub Packages.',
      rules: ['registry.npmjs.org', 'registry.npmjs.com', 'www.npmjs.com', 'npmjs.org', 'npmjs.com', 'npm.pkg.github.com'],
    },
    {
      what: 'Node.js: releases, and headers that node-gyp compiles with',
      source: 'https://github.com/nodejs/node-gyp#readme',
      note: 'unofficial-builds has the releases for musl, which nvm, fnm and pnpm ask for on Alpine.',
      rules: ['nodejs.org', 'unofficial-builds.nodejs.org', 'deb.nodesource.com'],
    },
    {
      what: 'Yarn, and what Corepack downloads',
      source: 'https://github.com/nodejs/corepack#environment-variables',
      note: 'Corepack’s config.json has repo.yarnpkg.com for Yarn 2 and later; dl.yarnpkg.com is the Debian repository.',
      rules: ['registry.yarnpkg.com', 'repo.yarnpkg.com', 'yarnpkg.com', 'classic.yarnpkg.com', 'dl.yarnpkg.com'],
    },
    {
      what: 'pnpm’s installer',
      source: 'https://pnpm.io/installation',
      rules: ['get.pnpm.io'],
    },
    {
      what: 'Bun’s installer; its program is a GitHub release',
      source: 'https://bun.com/docs/installation',
      rules: ['bun.com', 'bun.sh'],
    },
    {
      what: 'JSR, and its form for npm',
      source: 'https://jsr.io/docs/npm-compatibility',
      rules: ['jsr.io', 'npm.jsr.io'],
    },
    {
      what: 'PyPI: index and files',
      source: 'https://docs.pypi.org/api/index-api/',
      note: 'The index’s links lead to files.pythonhosted.org; pypi.python.org redirects. Not upload.pypi.org.',
      rules: ['pypi.org', 'pypi.python.org', 'files.pythonhosted.org', 'test.pypi.org', 'test-files.pythonhosted.org'],
    },
    {
      what: 'get-pip.py, virtualenv’s zipapp',
      source: 'https://pip.pypa.io/en/stable/installation/',
      rules: ['bootstrap.pypa.io'],
    },
    {
      what: 'Python itself, as pyenv, uv and asdf get it (also PyPy)',
      source: 'https://www.python.org/downloads/',
      rules: ['www.python.org', 'downloads.python.org'],
    },
    {
      what: 'uv: installer, releases and Pythons',
      source: 'https://docs.astral.sh/uv/getting-started/installation/',
      note: 'uv asks releases.astral.sh first, then GitHub (uv 0.10.10, “Fetch Ruff from an Astral mirror”, and its release notes since).',
      rules: ['astral.sh', 'releases.astral.sh'],
    },
    {
      what: 'Poetry’s installer',
      source: 'https://python-poetry.org/docs/#installing-with-the-official-installer',
      rules: ['install.python-poetry.org'],
    },
    {
      what: 'PyTorch’s wheels, which most torch projects name as a second index',
      source: 'https://pytorch.org/get-started/locally/',
      note: 'The index links to download-r2 (seen in pip’s output of users).',
      rules: ['download.pytorch.org', 'download-r2.pytorch.org'],
    },
    {
      what: 'crates.io: index, API, files',
      source: 'https://doc.rust-lang.org/cargo/reference/registry-index.html',
      note: 'config.json of https://index.crates.io names static.crates.io.',
      rules: ['index.crates.io', 'static.crates.io', 'crates.io'],
    },
    {
      what: 'rustup and Rust itself',
      source: 'https://rust-lang.github.io/rustup/environment-variables.html',
      rules: ['static.rust-lang.org', 'sh.rustup.rs'],
    },
    {
      what: 'Go: module proxy, checksums, toolchains',
      source: 'https://go.dev/ref/mod#environment-variables',
      note: 'proxy.golang.org redirects to storage.googleapis.com (https://go.dev/issue/52908), go.dev/dl to dl.google.com.',
      rules: ['proxy.golang.org', 'sum.golang.org', 'index.golang.org', 'go.dev', 'golang.org', 'dl.google.com', GOOGLE_STORAGE],
    },
    {
      what: 'Maven Central, by its names and by Google’s mirror',
      source: 'https://central.sonatype.org/consume/consume-maven/',
      note: 'storage-download.googleapis.com/maven-central/index.html names the mirror. central.sonatype.com has the snapshots.',
      rules: [
        'repo.maven.apache.org',
        'repo1.maven.org',
        'central.sonatype.com',
        'maven-central.storage.googleapis.com',
        'maven-central.storage-download.googleapis.com',
        'maven-central-eu.storage-download.googleapis.com',
        'maven-central-asia.storage-download.googleapis.com',
      ],
    },
    {
      what: 'Maven itself, and Apache’s snapshots',
      source: 'https://maven.apache.org/download.cgi',
      rules: ['maven.apache.org', 'dlcdn.apache.org', 'downloads.apache.org', 'archive.apache.org', 'repository.apache.org'],
    },
    {
      what: 'Google’s Maven repository (Android)',
      source: 'https://developer.android.com/build/dependencies#google-maven',
      note: 'maven.google.com redirects to dl.google.com.',
      rules: ['maven.google.com', 'dl.google.com'],
    },
    {
      what: 'Other Maven repositories that builds name: Spring, JitPack, GitHub Packages',
      source: 'https://docs.jitpack.io/',
      note: 'github.com/spring-projects/spring-framework/wiki/Spring-Framework-Artifacts names repo.spring.io.',
      rules: ['repo.spring.io', 'jitpack.io', 'maven.pkg.github.com'],
    },
    {
      what: 'Gradle: distributions, plugins, its own libraries',
      source: 'https://docs.gradle.org/current/userguide/gradle_wrapper.html',
      note: 'services redirects to downloads or to a GitHub release, plugins to plugins-artifacts (gradle/plugin-portal-requests#252).',
      rules: ['services.gradle.org', 'downloads.gradle.org', 'plugins.gradle.org', 'plugins-artifacts.gradle.org', 'repo.gradle.org'],
    },
    {
      what: 'JDKs that Gradle’s toolchains download; Adoptium’s are GitHub releases',
      source: 'https://github.com/gradle/foojay-toolchains#readme',
      rules: ['api.foojay.io', 'api.adoptium.net', 'packages.adoptium.net'],
    },
    {
      what: 'RubyGems and Bundler',
      source: 'https://guides.rubygems.org/rubygems-org-compact-index-api/',
      note: 'Versions before Bundler 2 ask index and bundler.rubygems.org, older gem programs api.rubygems.org.',
      rules: ['rubygems.org', 'index.rubygems.org', 'bundler.rubygems.org', 'api.rubygems.org', 'rubygems.pkg.github.com'],
    },
    {
      what: 'Ruby itself, as ruby-build, rbenv and rvm get it',
      source: 'https://www.ruby-lang.org/en/downloads/',
      rules: ['cache.ruby-lang.org'],
    },
    {
      what: 'Debian: archive, security, snapshots, old releases',
      source: 'https://deb.debian.org/',
      note: 'www.debian.org/mirror/list names ftp; apt’s configuration the changelogs. A country’s mirror needs a rule of its own.',
      rules: [
        'deb.debian.org',
        '*.deb.debian.org',
        'security.debian.org',
        'ftp.debian.org',
        'httpredir.debian.org',
        'archive.debian.org',
        'snapshot.debian.org',
        'metadata.ftp-master.debian.org',
      ],
    },
    {
      what: 'Ubuntu: archive and its country and cloud mirrors, security, other processors, old releases',
      source: 'https://documentation.ubuntu.com/craft-archives/latest/changelog/',
      note: 'Images name the country or cloud mirrors in sources.list, apt’s configuration snapshots, changelogs and debug symbols.',
      rules: [
        'archive.ubuntu.com',
        '*.archive.ubuntu.com',
        'security.ubuntu.com',
        'ports.ubuntu.com',
        '*.ports.ubuntu.com',
        'old-releases.ubuntu.com',
        'snapshot.ubuntu.com',
        'changelogs.ubuntu.com',
        'esm.ubuntu.com',
        'ddebs.ubuntu.com',
      ],
    },
    {
      what: 'Ubuntu’s personal archives, and the keys that add-apt-repository and gpg fetch',
      source: 'https://documentation.ubuntu.com/launchpad/user/reference/packaging/ppas/ppa/',
      note: 'add-apt-repository asks api.launchpad.net, gpg a key server on port 11371 (hkp). Launchpad redirects to its librarian.',
      rules: [
        'ppa.launchpadcontent.net',
        'ppa.launchpad.net',
        'launchpadlibrarian.net',
        'launchpad.net',
        'api.launchpad.net',
        'keyserver.ubuntu.com',
        'keyserver.ubuntu.com:11371',
      ],
    },
    {
      what: 'Alpine’s packages',
      source: 'https://wiki.alpinelinux.org/wiki/Repositories',
      rules: ['dl-cdn.alpinelinux.org'],
    },
    GITHUB,
  ],
};

const GIT: Preset = {
  ports: [22, 80, 443],
  groups: [
    GITHUB,
    {
      what: 'GitHub: large files (LFS)',
      source: 'https://docs.github.com/en/copilot/reference/copilot-allowlist-reference#github-content--api',
      rules: ['github-cloud.s3.amazonaws.com'],
    },
    {
      what: 'GitLab: repositories, ssh on port 443, registry, job artifacts',
      source: 'https://docs.gitlab.com/user/gitlab_com/',
      note: 'Large files and packages come from Google Cloud Storage (a redirect of GitLab’s package API); artifacts from its CDN.',
      rules: [
        'gitlab.com',
        'altssh.gitlab.com',
        'registry.gitlab.com',
        'cdn.registry.gitlab-static.net',
        'cdn.artifacts.gitlab-static.net',
        GOOGLE_STORAGE,
      ],
    },
    {
      what: 'Bitbucket: repositories, ssh (altssh: on port 443), API, raw files, downloads, large files (LFS)',
      source: 'https://community.atlassian.com/forums/Bitbucket-articles/ba-p/3234032',
      note: 'That page moves ssh to ssh.bitbucket.org. Downloads redirect to bbuseruploads, attachments to api.media (in answers of its API).',
      rules: [
        'bitbucket.org',
        'www.bitbucket.org',
        'ssh.bitbucket.org',
        'altssh.bitbucket.org',
        'api.bitbucket.org',
        'bytebucket.org',
        'bbuseruploads.s3.amazonaws.com',
        'api.media.atlassian.com',
      ],
    },
  ],
};

/** The hosts that a rule means which is a preset's name. */
export const PRESETS = { packages: PACKAGES, git: GIT } as const satisfies Record<string, Preset>;

export type PresetName = keyof typeof PRESETS;

export function isPreset(text: string): text is PresetName {
  return Object.hasOwn(PRESETS, text);
}
