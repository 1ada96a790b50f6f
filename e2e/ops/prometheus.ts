import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../tabs/run-tabs.ts';

const NO_PROMETHEUS = 'This needs Prometheus: apt-get install prometheus (Debian).';
/** Replace the windows of the rules and their `for`, so that minutes become seconds. Thresholds stay as they are. */
const WINDOW = '2m';
const FOR = '2s';

interface Sample {
  metric: Record<string, string>;
  value: [at: number, value: string];
}

/** A Prometheus of this process, with the project's rules. */
export interface Prometheus {
  /** The samples that an expression yields now, none where it is false. */
  query(expr: string): Promise<Sample[]>;
  /** The names of the loaded rules, and when all of them were last evaluated, ms since the epoch. */
  rules(): Promise<{ names: string[]; evaluatedAt: number }>;
  /** The names of the alerts that fire. */
  firing(): Promise<string[]>;
  close(): Promise<void>;
}

/** The rules of `ops/alerts.yml` with shorter times. */
function shortRules(): string {
  const rules = readFileSync(new URL('../../ops/alerts.yml', import.meta.url), 'utf8');
  return rules.replaceAll(/\[\d+m\]/g, `[${WINDOW}]`).replaceAll(/for: \d+m/g, `for: ${FOR}`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/**
 * Starts Prometheus, which scrapes `/metrics` of this server and evaluates the rules each second.
 *
 * @param url of a server on this machine
 * @throws Error when it is not installed, or when it does not start
 */
export async function startPrometheus(url: string): Promise<Prometheus> {
  if (spawnSync('prometheus', ['--version']).status !== 0) throw new Error(NO_PROMETHEUS);
  const folder = mkdtempSync(join(tmpdir(), 'assessment-monitor-prometheus-'));
  const target = `127.0.0.1:${new URL(url).port}`;
  writeFileSync(join(folder, 'alerts.yml'), shortRules());
  // JSON is YAML.
  const config = {
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: ['alerts.yml'],
    scrape_configs: [{ job_name: 'pages', static_configs: [{ targets: [target] }] }],
  };
  writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify(config));
  const address = `127.0.0.1:${await freePort()}`;
  const child = spawn(
    'prometheus',
    [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${address}`,
      '--log.level=error',
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const gone = once(child, 'exit');
  const ask = async <T>(path: string): Promise<T> => {
    const response = await fetch(`http://${address}/api/v1/${path}`);
    if (!response.ok) throw new Error(`Prometheus answers ${response.status} to ${path}`);
    return ((await response.json()) as { data: T }).data;
  };
  const close = async (): Promise<void> => {
    child.kill();
    await gone;
    await rm(folder, { recursive: true, force: true });
  };
  const query: Prometheus['query'] = async (expr) => {
    const { result } = await ask<{ result: Sample[] }>(`query?query=${encodeURIComponent(expr)}`);
    return result;
  };
  try {
    // The zeros come first: a counter that first appears above zero loses that part in `increase`.
    const isScraping = async () => ((await query('up == 1').catch(() => [])).length > 0 ? true : null);
    await until('the first scrape of Prometheus', isScraping);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    query,
    async rules() {
      const { groups } = await ask<{ groups: { lastEvaluation: string; rules: { name: string }[] }[] }>('rules');
      return {
        names: groups.flatMap(({ rules }) => rules.map(({ name }) => name)),
        evaluatedAt: Math.min(...groups.map(({ lastEvaluation }) => Date.parse(lastEvaluation))),
      };
    },
    async firing() {
      const { alerts } = await ask<{ alerts: { state: string; labels: { alertname: string } }[] }>('alerts');
      return alerts.filter(({ state }) => state === 'firing').map(({ labels }) => labels.alertname);
    },
    close,
  };
}

/** The answers that the rules count, in the window of the shortened rules: below 100 they stay silent whatever the share is. */
export const ANSWERS_IN_WINDOW = `sum(increase(assessment_monitor_request_duration_seconds_count{error_type!="no_answer"}[${WINDOW}]))`;
