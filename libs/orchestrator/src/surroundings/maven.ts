/**
 * Maven takes a mirror from a file of settings alone: the user's, which is the user's own, or that
 * of the installation. So these options give it another place for the files of the installation.
 */
export function mavenOptions(directory: string): string {
  return `-Dmaven.conf=${confOf(directory)}`;
}

/** Returns all files that Maven reads at that place, by path. */
export function mavenFiles(url: string, directory: string): Record<string, string> {
  return {
    [`${confOf(directory)}/settings.xml`]: SETTINGS.replace('URL', () => url),
    [`${confOf(directory)}/logging/simplelogger.properties`]: LOGGING,
  };
}

const confOf = (directory: string): string => `${directory}/maven`;

/**
 * The mirror takes the place of Maven Central, for libraries and for plugins. The second entry is
 * in every installation: it refuses other repositories over HTTP without TLS.
 */
const SETTINGS = `<?xml version="1.0" encoding="UTF-8"?>
<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0">
  <mirrors>
    <mirror>
      <id>mirror</id>
      <mirrorOf>central</mirrorOf>
      <url>URL</url>
    </mirror>
    <mirror>
      <id>maven-default-http-blocker</id>
      <mirrorOf>external:http:*</mirrorOf>
      <url>http://0.0.0.0/</url>
      <blocked>true</blocked>
    </mirror>
  </mirrors>
</settings>
`;

/** What makes Maven's lines look as ever: [INFO] and a text. */
const LOGGING = `org.slf4j.simpleLogger.defaultLogLevel=info
org.slf4j.simpleLogger.showDateTime=false
org.slf4j.simpleLogger.showThreadName=false
org.slf4j.simpleLogger.showLogName=false
org.slf4j.simpleLogger.logFile=System.out
org.slf4j.simpleLogger.cacheOutputStream=true
org.slf4j.simpleLogger.levelInBrackets=true
org.slf4j.simpleLogger.log.Sisu=info
org.slf4j.simpleLogger.warnLevelString=WARNING
`;
