import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import {
  OutgoingNetwork,
  PortsService,
  type RuntimeReport,
  SANDBOX_RUNTIME,
  type SandboxRuntime,
  SessionEntrance,
  WarmPool,
} from '@sandbox/orchestrator';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** From an answer out of a cache up to one that a client waits for. */
const CLUSTER_CALL_SECONDS = [0.01, 0.05, 0.25, 1, 5];

/**
 * The figures of this process: memory, descriptors, event loop, and its work. They are read when
 * Prometheus asks.
 */
@Injectable()
export class Metrics {
  /** The content type of the Prometheus text format. */
  static readonly CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;
  private readonly registry = new Registry();

  constructor(
    @Inject(CONFIG) config: Pick<Config, 'METRICS_TOKEN'>,
    private readonly pool: WarmPool,
    private readonly entrance: SessionEntrance,
    private readonly ports: PortsService,
    { totals }: OutgoingNetwork,
    @Inject(SANDBOX_RUNTIME) { report }: Pick<SandboxRuntime, 'report'>,
  ) {
    // Watching the event loop costs time, so it is done only if somebody may ask.
    if (config.METRICS_TOKEN === '') return;
    collectDefaultMetrics({ register: this.registry });
    this.channels();
    this.gauge('sandbox_api_calls_under_way', 'Calls under way in sessions', () => this.entrance.state.calls);
    this.gauge('sandbox_api_creations_waiting', 'Sessions that wait for their sandbox to be made', () => this.entrance.state.waiting);
    this.gauge('sandbox_api_pool_size', 'Sandboxes that wait for a new session', () => this.pool.state.size);
    this.counter('sandbox_api_pool_hits_total', 'New sessions that took a waiting sandbox', () => this.pool.state.hits);
    this.gauge('sandbox_api_port_connections_open', 'Open connections to ports of sandboxes', () => this.ports.state.open);
    this.counter('sandbox_api_port_connections_total', 'Connections that were made to ports of sandboxes', () => this.ports.state.total);
    this.counter('sandbox_api_pool_misses_total', 'New sessions that could have, and found none', () => this.pool.state.misses);
    this.gauge('sandbox_api_outgoing_open', 'Open connections of sandboxes to servers', () => totals.open);
    this.counter('sandbox_api_outgoing_bytes_total', 'Bytes of such connections, in and out together', () => totals.bytes);
    this.counters('sandbox_api_outgoing_ended_total', 'Such connections, by how they have ended', 'end', totals.ended);
    this.counters('sandbox_api_outgoing_denied_total', 'Names and connections refused, by reason', 'reason', totals.denied);
    if (report !== null) this.cluster(report);
  }

  /** @returns the figures in the Prometheus text format */
  text(): Promise<string> {
    return this.registry.metrics();
  }

  private channels(): void {
    const { entrance } = this;
    const collect = function (this: Gauge<'channel'>): void {
      for (const [channel, count] of Object.entries(entrance.state.channels)) this.set({ channel }, count);
    };
    const help = 'Open channels into sandboxes of sessions, by the way that their frames take';
    this.registry.registerMetric(new Gauge({ name: 'sandbox_api_channels_open', help, labelNames: ['channel'], registers: [], collect }));
  }

  private cluster({ watch, ...calls }: RuntimeReport): void {
    const seconds = new Histogram({
      name: 'sandbox_api_cluster_call_seconds',
      help: 'Requests to the API server of the cluster, until they were answered',
      labelNames: ['verb', 'resource', 'status'],
      buckets: CLUSTER_CALL_SECONDS,
      registers: [],
    });
    this.registry.registerMetric(seconds);
    calls.onCall(({ verb, resource, status, seconds: taken }) => seconds.observe({ verb, resource, status }, taken));
    this.gauge('sandbox_api_cluster_watch_open', 'Whether the watch of the cluster’s pods is open', () => Number(watch.isConnected));
    this.counter('sandbox_api_cluster_watch_lost_total', 'How often that watch broke off', () => watch.lost);
  }

  private gauge(name: string, help: string, value: () => number): void {
    const collect = function (this: Gauge): void {
      this.set(value());
    };
    this.registry.registerMetric(new Gauge({ name, help, registers: [], collect }));
  }

  private counter(name: string, help: string, value: () => number): void {
    const collect = function (this: Counter): void {
      this.reset();
      this.inc(value());
    };
    this.registry.registerMetric(new Counter({ name, help, registers: [], collect }));
  }

  private counters(name: string, help: string, label: string, values: Readonly<Record<string, number>>): void {
    const collect = function (this: Counter<string>): void {
      this.reset();
      for (const [value, count] of Object.entries(values)) this.inc({ [label]: value }, count);
    };
    this.registry.registerMetric(new Counter({ name, help, labelNames: [label], registers: [], collect }));
  }
}
