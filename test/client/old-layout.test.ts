import { afterEach, describe, expect, it } from 'vitest';
import { memoryStore } from '../../src/lib/storage.ts';
import { openScriptedWorld } from '../support/scripted-world.ts';

/* What the first release stored: keys without the name of the API, and users in clear. */

const email = 'ann@example.test';
const job = {
  version: 1,
  submissionId: 'submission-1',
  jobId: 'job-1',
  resultId: null,
  deadlineAt: 1e15,
  userId: email,
};
const token = { value: 'first', generation: 3, expiresAt: 1e15, ttlMs: 3_600_000, userId: email };
let world: ReturnType<typeof openScriptedWorld>;
afterEach(() => world.close());

function openAfter(others: Record<string, string> = {}) {
  const storage = memoryStore();
  const tokenStorage = memoryStore();
  const clock = openScriptedWorld().clock;
  storage.set('assessment-monitor:job:submission-1', JSON.stringify({ ...job, submittedAt: clock.now() }));
  storage.set('assessment-monitor:answers:d1', 'submission-1');
  storage.set('assessment-monitor:refresh-budget', '{}');
  storage.set('theirs', 'kept');
  tokenStorage.set('assessment-monitor:token', JSON.stringify(token));
  tokenStorage.set('assessment-monitor:refresh-token', 'renews');
  for (const [key, value] of Object.entries(others)) storage.set(key, value);
  world = openScriptedWorld({}, { storage, tokenStorage });
  return { storage, tokenStorage, all: () => [storage, tokenStorage].flatMap((it) => it.keys()) };
}

describe('entries of the first release', () => {
  it('move into the scope of the API, once, without the user in clear', async () => {
    const { storage, all } = openAfter();
    expect(await world.client.ensureValidToken()).toBe('first');
    expect(world.client.resume().map(({ id }) => id)).toEqual(['submission-1']);
    expect(storage.keys().map(storage.get).join()).not.toContain(email);
    expect(all().filter((key) => /^assessment-monitor:(job|answers|token|refresh)/.test(key))).toEqual([]);
    expect(storage.get('theirs')).toBe('kept');
    await world.run(1_000);
    expect(world.calls.map(({ id }) => id)).toContain('job-1');
  });

  it('are removed where several APIs have shared the storage: none of them may get the token of another', async () => {
    const { all } = openAfter({ 'assessment-monitor:https://other.test/api/auth/v2/refresh:session': '{}' });
    expect(world.client.resume()).toEqual([]);
    expect(world.events).toContainEqual(expect.objectContaining({ type: 'job.dropped', reason: 'old-version' }));
    expect(all().filter((key) => /^assessment-monitor:(job|answers|token|refresh)/.test(key))).toEqual([]);
    await world.run(1_000);
    expect(world.calls.map((it) => it.token)).not.toContain('first');
  });
});
