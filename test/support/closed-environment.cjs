const { Server, Socket } = require('node:net');
const { TestEnvironment } = require('jest-environment-node');

const { listen } = Server.prototype;
const { connect } = Socket.prototype;

/**
 * The ports and socket paths on which a test of this process has listened. A file's last requests
 * may outlive it, because fetch keeps its connections for all files of a process.
 */
const own = new Set();

/**
 * The environment of a unit test. A test only reaches servers that tests have started in the same
 * process. Any other connection (to a Docker engine, a Redis server) is refused, and the file
 * fails, even if the code under test hides the error. So no unit test can touch the sandboxes or
 * the sessions of a deployment that is live on the machine.
 */
class ClosedEnvironment extends TestEnvironment {
  /** One error for each refused connection. A test of this environment itself may empty it. */
  refused = [];

  async setup() {
    await super.setup();
    const { refused } = this;
    this.global.refusedConnections = refused;
    Server.prototype.listen = function (...args) {
      this.once('listening', () => own.add(addressOf(this.address())));
      return listen.apply(this, args);
    };
    Socket.prototype.connect = function (...args) {
      // net.connect() passes its arguments on as one array.
      const target = addressOf(Array.isArray(args[0]) ? args[0][0] : args[0]);
      if (own.has(target)) return connect.apply(this, args);
      const error = new Error(`a unit test connects to ${target}, which it has not started itself`);
      refused.push(error);
      process.nextTick(() => this.destroy(error));
      return this;
    };
  }

  async teardown() {
    Server.prototype.listen = listen;
    Socket.prototype.connect = connect;
    await super.teardown();
    if (this.refused.length > 0) throw this.refused[0];
  }
}

/** @returns the socket path or the port, from what `connect` takes or `address` returns */
function addressOf(given) {
  const { path, port } = typeof given === 'object' && given !== null ? given : { path: given, port: given };
  return String(path ?? port);
}

module.exports = ClosedEnvironment;
