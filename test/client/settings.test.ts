import type { RuntimeSettings } from 'assessment-monitor';
import { describe, expect, it } from 'vitest';
import { openScriptedWorld } from '../support/scripted-world.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
type Settings = RuntimeSettings;

const reports = ({ events }: ReturnType<typeof openScriptedWorld>) =>
  events.flatMap((it) => (it.type === 'settings.invalid' ? [it.field] : []));
const deadlineOf = ({ client }: ReturnType<typeof openScriptedWorld>) =>
  client.getSnapshot().assessments[0]?.actor.getSnapshot().context.deadlineAt;

describe('settings that make no sense', () => {
  it.each<[string, () => unknown]>([
    [
      'have a getter that throws',
      () => ({
        get refresh() {
          throw new Error('the flag is not there');
        },
      }),
    ],
    ['are a promise that rejects', () => Promise.reject(new Error('the flags are not there'))],
  ])('that %s change nothing, and are reported once', async (_what, settings) => {
    const world = openScriptedWorld({}, { settings: settings as () => Settings });
    world.signIn();
    world.submit();
    await world.run(30 * SECOND);
    expect([world.count('submit'), world.phase(), reports(world)]).toEqual([1, 'waiting', ['settings']]);
    world.close();
  });

  it('that throw after the acceptance lead to no second submission', async () => {
    let isBroken = false;
    const world = openScriptedWorld(
      {
        submit: () => {
          isBroken = true;
          return [202, { success: true, data: { jobId: 'job-1', resultId: 'result-1', status: 'queued' } }];
        },
      },
      {
        settings: () => {
          if (isBroken) throw new Error('the settings are not there');
          return { monitoringTimeoutMs: 5 * MINUTE };
        },
      },
    );
    world.signIn();
    world.submit();
    await world.run(30 * SECOND);
    expect([world.count('submit'), world.phase()]).toEqual([1, 'waiting']);
    expect(deadlineOf(world)).toBeGreaterThan(world.clock.now() + 4 * MINUTE);
    expect(deadlineOf(world)).toBeLessThan(world.clock.now() + 5 * MINUTE);
    expect(reports(world)).toEqual(['settings']);
    world.close();
  });

  it.each<[string, unknown]>([
    ['NaN', Number.NaN],
    ['a negative number', -1],
    ['zero', 0],
    ['infinity', Number.POSITIVE_INFINITY],
    ['a text', '60000'],
    ['an object', {}],
  ])('keep the last good timeout, or the default, for %s, and are reported once', async (_what, value) => {
    let settings: unknown = { monitoringTimeoutMs: value };
    const world = openScriptedWorld({}, { settings: () => settings as Settings });
    world.signIn();
    const assessment = world.submit();
    expect(deadlineOf(world)).toBe(world.clock.now() + 30 * MINUTE);
    settings = { monitoringTimeoutMs: MINUTE };
    await world.run(0);
    expect(deadlineOf(world)).toBe(world.clock.now() + MINUTE);
    settings = { monitoringTimeoutMs: value };
    await world.run(2 * MINUTE);
    expect(assessment.getSnapshot().phase).toBe('delayed');
    assessment.keepWaiting();
    expect(deadlineOf(world)).toBe(world.clock.now() + MINUTE);
    expect(reports(world)).toEqual(['monitoringTimeoutMs']);
    world.close();
  });

  it.each<[string, unknown]>([
    ['a text', 'off'],
    ['a number', 0],
  ])('keep the last good value of `refresh` for %s', async (_what, value) => {
    let settings: unknown = { refresh: false };
    const world = openScriptedWorld({}, { settings: () => settings as Settings });
    world.signIn('first', 60);
    world.submit();
    await world.run(SECOND);
    settings = { refresh: value };
    await world.run(2 * MINUTE);
    expect([world.count('refresh'), world.phase()]).toEqual([0, 'sign-in-needed']);
    expect(reports(world)).toEqual(['refresh']);
    world.close();
  });

  it('are reported when the function is asynchronous', () => {
    const world = openScriptedWorld({}, { settings: (async () => ({})) as unknown as () => Settings });
    world.submit();
    expect(reports(world)).toEqual(['settings']);
    world.close();
  });

  it('leave the defaults and the log alone where they are missing', async () => {
    const world = openScriptedWorld({}, { settings: () => ({ monitoringTimeoutMs: undefined, refresh: undefined }) });
    world.signIn();
    world.submit();
    await world.run(SECOND);
    expect(reports(world)).toEqual([]);
    world.close();
  });
});
