import { createCollector } from 'assessment-monitor/collect';
import { seededRandom } from 'assessment-monitor/testing';
import { describe, expect, it } from 'vitest';

const zeros = (length: number): number[] => Array.from({ length }, () => 0);
/** A beacon with this one series. */
const beacon = (series: string, values: unknown): string => JSON.stringify({ [series]: values });
const one = [0.05, 1, 0, 0, 0, 0, 0, 0, 0];
const counts = (text: string): Map<string, number> =>
  new Map(
    text
      .split('\n')
      .filter((line) => line.includes('_count{'))
      .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
const totalOf = (text: string): number => [...counts(text).values()].reduce((sum, count) => sum + count, 0);

describe('createCollector', () => {
  it('exposes every series with 0 from the start, under the names that OTLP gives them', () => {
    const text = createCollector().prometheus();
    for (const line of [
      '# TYPE assessment_monitor_request_duration_seconds histogram',
      'assessment_monitor_request_duration_seconds_count{route="status",outcome="ok"} 0',
      'assessment_monitor_request_duration_seconds_count{route="submit",outcome="unauthorized",error_type="skew"} 0',
      'assessment_monitor_request_duration_seconds_bucket{route="status",outcome="ok",le="0.1"} 0',
      'assessment_monitor_token_refresh_duration_seconds_count{outcome="refreshed"} 0',
      'assessment_monitor_token_refresh_duration_seconds_count{outcome="rejected"} 0',
      'assessment_monitor_assessment_duration_seconds_bucket{outcome="completed",le="+Inf"} 0',
      'assessment_monitor_assessment_duration_seconds_count{outcome="failed",error_type="job-failed"} 0',
    ])
      expect(text).toContain(`${line}\n`);
    expect(counts(text).size).toBeLessThan(250);
    expect(totalOf(text)).toBe(0);
  });

  it('adds up the beacons of all pages, with cumulative buckets', () => {
    const collector = createCollector();
    collector.take(beacon('request|status|ok|', [0.9, 1, 0, 1, 0, 0, 0, 0, 0]));
    collector.take(beacon('request|status|ok|', [0.4, 0, 1, 0, 0, 0, 0, 0, 0]));
    const lines = collector.prometheus().split('\n');
    const shown = lines.filter((line) => line.includes('{route="status",outcome="ok"'));
    expect(shown.map((line) => line.slice(line.lastIndexOf(',') + 1))).toEqual([
      'le="0.1"} 1',
      'le="0.5"} 2',
      'le="1"} 3',
      'le="2.5"} 3',
      'le="5"} 3',
      'le="10"} 3',
      'le="30"} 3',
      'le="+Inf"} 3',
      'outcome="ok"} 1.3',
      'outcome="ok"} 3',
    ]);
  });

  it.each([
    ['request|status|transient|418', 'error_type="other"'],
    ['request|status|unauthorized|new-cause', 'error_type="unknown"'],
    ['assessment||failed|some-code', 'error_type="other"'],
  ])('counts %s, which no series names, as %s', (series, label) => {
    const collector = createCollector();
    collector.take(beacon(series, series.startsWith('assessment') ? [5, 1, 0, 0, 0, 0, 0, 0, 0] : one));
    const counted = [...counts(collector.prometheus())].filter(([, count]) => count > 0);
    expect(counted).toHaveLength(1);
    expect(counted[0]?.[0]).toContain(label);
  });

  it.each<[string, string]>([
    ['no JSON', '{'],
    ['nothing', ''],
    ['a list', '[]'],
    ['null', 'null'],
    ['a text', '"request"'],
    ['more than 64 kB', JSON.stringify({ x: 'y'.repeat(70_000) })],
  ])('refuses a body that is %s, and counts it', (_what, body) => {
    const collector = createCollector();
    expect(collector.take(body)).toBe(false);
    expect(collector.prometheus()).toContain('assessment_monitor_beacons_total{result="refused"} 1\n');
  });

  it.each<[string, string, unknown]>([
    ['another route', 'request|admin|ok|', one],
    ['a name of an object', '__proto__', one],
    ['a label with a line break', 'request|status|ok\n|', one],
    ['too many buckets', 'request|status|ok|', [...one, 1]],
    ['a negative count', 'request|status|ok|', [0, -1, 1, 0, 0, 0, 0, 0, 0]],
    ['a part of a count', 'request|status|ok|', [0, 0.5, 0, 0, 0, 0, 0, 0, 0]],
    ['a huge count', 'request|status|ok|', [0, 1e9, 0, 0, 0, 0, 0, 0, 0]],
    ['a text for a sum', 'request|status|ok|', ['1', 1, 0, 0, 0, 0, 0, 0, 0]],
    ['a negative sum', 'request|status|ok|', [-1, 1, 0, 0, 0, 0, 0, 0, 0]],
    ['a sum that the buckets contradict', 'request|status|ok|', [1e6, 1, 0, 0, 0, 0, 0, 0, 0]],
  ])('leaves out %s and takes the rest', (_what, series, values) => {
    const collector = createCollector();
    const body = `{${JSON.stringify(series)}:${JSON.stringify(values)},"request|status|ok|":${JSON.stringify(one)}}`;
    expect(collector.take(series === 'request|status|ok|' ? beacon(series, values) : body)).toBe(true);
    expect(totalOf(collector.prometheus())).toBe(series === 'request|status|ok|' ? 0 : 1);
  });

  it('takes no more than 10,000 durations from one beacon', () => {
    const collector = createCollector();
    const many = [0, 6_000, ...zeros(7)];
    collector.take(JSON.stringify({ 'request|status|ok|': many, 'request|result|ok|': many }));
    expect(totalOf(collector.prometheus())).toBe(6_000);
  });

  it('keeps its series and its format under 5,000 bodies of a fuzzer', () => {
    const random = seededRandom(21);
    const collector = createCollector();
    const names = [...counts(collector.prometheus()).keys()];
    const pick = <T>(from: readonly [T, ...T[]]): T => from[Math.floor(random() * from.length)] ?? from[0];
    const anyText = (): string =>
      String.fromCodePoint(...Array.from({ length: 8 }, () => Math.floor(random() * 0xd7ff)));
    const part = (): string =>
      pick([
        'request',
        'status',
        'ok',
        '',
        'token.refresh',
        'assessment',
        'completed',
        'unauthorized',
        'skew',
        '|',
        anyText(),
      ]);
    const value = (): unknown =>
      pick<unknown>([0, 1, -1, 0.5, 1e308, null, '1', [], {}, true, anyText(), Number.MAX_SAFE_INTEGER]);
    const anyBody = (): string => {
      const entries = Array.from({ length: Math.floor(random() * 5) }, () => [
        Array.from({ length: pick([4, 4, 4, 1, 9]) }, part).join('|'),
        random() < 0.9 ? Array.from({ length: pick([9, 9, 9, 0, 30]) }, value) : value(),
      ]);
      const text = JSON.stringify(Object.fromEntries(entries));
      return random() < 0.2 ? text.slice(0, Math.floor(random() * text.length)) : text;
    };
    for (let run = 0; run < 5_000; run += 1) collector.take(random() < 0.05 ? anyText() : anyBody());
    const text = collector.prometheus();
    expect([...counts(text).keys()]).toEqual(names);
    const line = /^(# (HELP|TYPE) \w+ .+|\w+\{(\w+="[\w.+-]*",?)+\} \d+(\.\d+)?(e[+-]?\d+)?)$/;
    expect(text.split('\n').filter((it) => it !== '' && !line.test(it))).toEqual([]);
  });
});
