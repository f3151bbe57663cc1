/**
 * From which the agent makes three files in `directory`: `ca.pem` has the operator's certificates,
 * `ca-bundle.pem` has those that the image trusts too, and `truststore.jks` has the same for Java.
 */
export interface Trust {
  readonly directory: string;
  /** The operator's certificates, in PEM. */
  readonly certificates: string;
}

/**
 * Returns the variables by which programs find the certificates. Most of them read one file instead
 * of all others, so that file has the image's certificates too.
 */
export function trustVariables(directory: string): Record<string, string> {
  const bundle = `${directory}/ca-bundle.pem`;
  const added = `${directory}/ca.pem`;
  return {
    // OpenSSL, and with it Python, Ruby, PHP, Perl; Go; uv and other programs in Rust.
    SSL_CERT_FILE: bundle,
    CURL_CA_BUNDLE: bundle,
    REQUESTS_CA_BUNDLE: bundle,
    PIP_CERT: bundle,
    GIT_SSL_CAINFO: bundle,
    CARGO_HTTP_CAINFO: bundle,
    AWS_CA_BUNDLE: bundle,
    // These two add to what is built in.
    NODE_EXTRA_CA_CERTS: added,
    DENO_CERT: added,
    // wget and apt have no variable for a certificate, but one for a file of settings.
    SYSTEM_WGETRC: wgetSettings(directory),
    APT_CONFIG: aptSettings(directory),
    // Java tells of this variable on stderr. No other one is read by every program in Java.
    JAVA_TOOL_OPTIONS: `-Djavax.net.ssl.trustStore=${directory}/truststore.jks`,
  };
}

/** Returns the files of settings that name the certificates, by path. */
export function trustFiles(directory: string): Record<string, string> {
  return {
    [wgetSettings(directory)]: `ca_certificate = ${directory}/ca-bundle.pem\n`,
    [aptSettings(directory)]: `Acquire::https::CAInfo "${directory}/ca-bundle.pem";\n`,
  };
}

const wgetSettings = (directory: string): string => `${directory}/wgetrc`;
const aptSettings = (directory: string): string => `${directory}/apt.conf`;
