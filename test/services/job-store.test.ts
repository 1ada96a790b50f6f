import * as fc from 'fast-check';
import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createJobStore, type JobRecord } from '../../src/services/job-store.ts';
import { memoryStore } from '../../src/lib/storage.ts';
import { recordedLog } from '../support/recorded-log.ts';

const PREFIX = 'job:';

const record = (patch: Partial<JobRecord> = {}): JobRecord => ({
  version: 1,
  submissionId: 's1',
  jobId: 'j1',
  resultId: 'r1',
  deadlineAt: 2_000,
  userId: 'ann',
  submittedAt: 1_000,
  ...patch,
});

function openStore() {
  const store = memoryStore();
  const recorded = recordedLog();
  return {
    store,
    recorded,
    jobs: createJobStore(store, recorded.log, { clock: { now: () => 1_500 } }),
    /** Puts a record there as another program might have. */
    plant: (json: unknown, id = 's1') => store.set(PREFIX + id, typeof json === 'string' ? json : JSON.stringify(json)),
  };
}

describe('a record that is set aside', () => {
  it('fits into the place of the record before, where a full storage has no other', () => {
    const { store, jobs } = openStore();
    jobs.save(record({ progress: { status: 'queued', percent: 0 } }));
    const sizeOf = () => store.get(PREFIX + 's1')?.length;
    const before = sizeOf() ?? 0;
    jobs.setAside('s1');
    expect(sizeOf()).toBeLessThanOrEqual(before);
    expect(jobs.read('s1')).toMatchObject({ jobId: 'j1', asideAt: 1_500 });
  });

  it('takes that place without giving it up in between, so that no other entry takes it', () => {
    const { store, jobs } = openStore();
    jobs.save(record({ progress: { status: 'queued', percent: 0 } }));
    const changes: string[] = [];
    const watched = createJobStore({ ...store, remove: (key) => changes.push(key) }, () => {}, {
      clock: { now: () => 1_500 },
    });
    watched.setAside('s1');
    expect(changes).not.toContain(`${PREFIX}s1`);
  });
});

describe('createJobStore', () => {
  it('gives back after a reload what was saved', () => {
    const { store, jobs } = openStore();
    const full = record({ jobId: null, submission: { answers: [1, 2] }, outcomeUnknown: true });
    jobs.save(full);
    expect(createJobStore(store, () => {}, { clock: { now: () => 1_500 } }).load('ann')).toEqual([full]);
  });

  it('keeps a job that may take forever', () => {
    const { jobs } = openStore();
    jobs.save(record({ deadlineAt: Number.POSITIVE_INFINITY }));
    expect(jobs.load('ann')).toEqual([record({ deadlineAt: Number.MAX_SAFE_INTEGER })]);
  });

  it('keeps one entry for each assessment, so that tabs do not overwrite one another', () => {
    const { store, jobs } = openStore();
    jobs.save(record());
    jobs.save(record({ submissionId: 's2' }));
    jobs.save(record({ jobId: 'j2' }));
    expect(store.keys()).toEqual([`${PREFIX}s1`, `${PREFIX}s2`]);
    expect(jobs.load('ann')).toMatchObject([{ jobId: 'j2' }, { submissionId: 's2' }]);
  });

  it('gives them in the order of their submission', () => {
    const { jobs } = openStore();
    jobs.save(record({ submissionId: 'last', submittedAt: 3 }));
    jobs.save(record({ submissionId: 'first', submittedAt: 1 }));
    jobs.save(record({ submissionId: 'second', submittedAt: 2 }));
    expect(jobs.load('ann').map((it) => it.submissionId)).toEqual(['first', 'second', 'last']);
  });

  it('forgets a removed one, and no other', () => {
    const { jobs } = openStore();
    jobs.save(record());
    jobs.save(record({ submissionId: 's2' }));
    jobs.remove('s1');
    jobs.remove('never there');
    expect(jobs.load('ann').map((it) => it.submissionId)).toEqual(['s2']);
  });

  it('looks at its own entries only', () => {
    const { store, recorded, jobs } = openStore();
    store.set('token', 'not a job');
    store.set('theirs', 'garbage');
    expect(jobs.load('ann')).toEqual([]);
    expect(store.keys()).toHaveLength(2);
    expect(recorded.events).toEqual([]);
  });

  it.each([
    ['text that is not JSON', '{"version":1,'],
    ['null', null],
    ['a number', 5],
    ['an array', [record()]],
    ['an empty object', {}],
    ['a record without a deadline', { ...record(), deadlineAt: undefined }],
    ['a record with a deadline before the epoch', record({ deadlineAt: -1 })],
    ['a record submitted before the epoch', record({ submittedAt: -1 })],
    ['an empty job id', record({ jobId: '' })],
    ['an empty result id', record({ resultId: '' })],
    ['a job id that is no id', { ...record(), jobId: 7.5 }],
    ['a record whose key names another assessment', record({ submissionId: 's2' })],
    ['a version that is a text', { ...record(), version: '1' }],
  ])('drops %s as malformed', (_case, json) => {
    const { store, recorded, jobs, plant } = openStore();
    plant(json);
    expect(jobs.load('ann')).toEqual([]);
    expect(store.keys()).toEqual([]);
    expect(recorded.events).toEqual([{ type: 'job.dropped', reason: 'malformed' }]);
  });

  it('drops a record with an empty id', () => {
    const { recorded, jobs, plant } = openStore();
    plant(record({ submissionId: '' }), '');
    expect(jobs.load('ann')).toEqual([]);
    expect(recorded.of('job.dropped')).toEqual([{ type: 'job.dropped', reason: 'malformed' }]);
  });

  it.each([0, 2, 99])('drops a record of version %j, and says that it is the version', (version) => {
    const { store, recorded, jobs, plant } = openStore();
    plant({ ...record(), version });
    expect(jobs.load('ann')).toEqual([]);
    expect(store.keys()).toEqual([]);
    expect(recorded.events).toEqual([{ type: 'job.dropped', reason: 'old-version' }]);
  });

  it("sets another user's job aside: without answers, for that user alone, until that user is back", () => {
    const { store, recorded, jobs } = openStore();
    jobs.save(record({ userId: 'bob', submission: { answers: ['planted'] }, answersDigest: 'd1' }));
    expect(jobs.load('ann')).toEqual([]);
    expect([jobs.find('d1', 'ann'), jobs.find('d1', null), jobs.load(null)]).toEqual([null, null, []]);
    expect(
      store
        .keys()
        .map((key) => store.get(key))
        .join(),
    ).not.toContain('planted');
    expect(recorded.events).toEqual([{ type: 'job.aside' }]);
    jobs.load('ann');
    expect(recorded.events).toHaveLength(1);
    const { submission, ...withoutAnswers } = record({ userId: 'bob', answersDigest: 'd1' });
    expect(submission).toBeUndefined();
    expect(jobs.load('bob')).toEqual([withoutAnswers]);
    expect(jobs.load(null)).toEqual([withoutAnswers]);
  });

  it('keeps a record for a week, and for another one from the moment it was set aside', () => {
    const { store, recorded } = openStore();
    let now = 1_000;
    const week = 7 * 24 * 60 * 60_000;
    const jobs = createJobStore(store, recorded.log, { clock: { now: () => now } });
    jobs.save(record({ submissionId: 's1', userId: 'bob' }));
    jobs.save(record({ submissionId: 's2', userId: 'bob' }));
    now += week;
    jobs.setAside('s1');
    now += 1;
    expect(jobs.load('ann')).toEqual([]);
    expect(recorded.of('job.dropped')).toEqual([{ type: 'job.dropped', reason: 'expired' }]);
    expect(store.keys()).toEqual([`${PREFIX}s1`]);
    now += week;
    expect(jobs.load('bob')).toEqual([]);
    expect(store.keys()).toEqual([]);
  });

  it('keeps a record whose submission is in the future, because the clock was set back', () => {
    const { jobs } = openStore();
    jobs.save(record({ submittedAt: 1e12 }));
    expect(jobs.load('ann')).toHaveLength(1);
  });

  it('hides a record without the id of a job until the list of jobs has been asked for it', () => {
    const { jobs } = openStore();
    jobs.save(record({ jobId: null, submission: {}, answersDigest: 'd1', sentAt: 1_100 }));
    jobs.setAside('s1');
    expect(jobs.load('ann')).toEqual([]);
    expect(jobs.unclaimed('ann')).toMatchObject([{ submissionId: 's1' }]);
    expect(jobs.unclaimed('bob')).toEqual([]);
    expect(jobs.find('d1', 'ann')).toMatchObject({ submissionId: 's1' });
    expect(jobs.unclaimed('ann')).toEqual([]);
  });

  it('names the records of users who cannot be compared with this one', () => {
    const { jobs } = openStore();
    jobs.save(record({ submissionId: 's1', userId: 'session:1' }));
    jobs.save(record({ submissionId: 's2', userId: 'bob' }));
    jobs.load('ann');
    expect(jobs.unclaimed('ann').map((it) => it.submissionId)).toEqual(['s1']);
    expect(jobs.unclaimed('session:2').map((it) => it.submissionId)).toEqual(['s1', 's2']);
    expect(jobs.unclaimed('session:1').map((it) => it.submissionId)).toEqual(['s2']);
  });

  it.each([
    ['of a user who is not known at all', { userId: null, sentAt: 1_100 }],
    ['that were never sent', {}],
  ])('removes answers %s', (_, patch) => {
    const { store, jobs } = openStore();
    jobs.save(record({ jobId: null, submission: {}, answersDigest: 'd1', ...patch }));
    jobs.setAside('s1');
    expect(store.keys()).toEqual([]);
  });

  it('keeps a job without a user for the user who is signed in, and any job while no user is', () => {
    const { jobs } = openStore();
    jobs.save(record({ submissionId: 's1', userId: null }));
    expect(jobs.load('ann')).toHaveLength(1);
    jobs.save(record({ submissionId: 's2', userId: 'bob' }));
    expect(jobs.load(null)).toHaveLength(2);
  });

  it('drops what the server never accepted when the answers are gone: there is nothing to continue with', () => {
    const { recorded, jobs } = openStore();
    jobs.save(record({ jobId: null }));
    expect(jobs.load('ann')).toEqual([]);
    expect(recorded.events).toEqual([{ type: 'job.dropped', reason: 'no-submission' }]);
  });

  it('keeps what the server has not accepted yet, with its answers, whatever they are', () => {
    const { jobs } = openStore();
    jobs.save(record({ jobId: null, resultId: null, submission: null }));
    expect(jobs.load('ann')).toEqual([record({ jobId: null, resultId: null, submission: null })]);
  });

  it('keeps the good ones when it drops a bad one', () => {
    const { jobs, plant } = openStore();
    plant('garbage', 'bad');
    jobs.save(record());
    expect(jobs.load('ann')).toEqual([record()]);
  });

  it('reads one record as it is in the storage now, and nothing that is malformed', () => {
    const { jobs, plant } = openStore();
    expect(jobs.read('s1')).toBeNull();
    jobs.save(record());
    expect(jobs.read('s1')).toEqual(record());
    plant('garbage');
    expect(jobs.read('s1')).toBeNull();
  });

  it('finds the record of the same answers of this user, until it is removed', () => {
    const { store, jobs } = openStore();
    jobs.save(record({ answersDigest: 'd1' }));
    expect(jobs.find('d1', 'ann')).toMatchObject({ submissionId: 's1' });
    expect(jobs.find('d1', null)).toMatchObject({ submissionId: 's1' });
    expect(jobs.find('d1', 'bob')).toBeNull();
    expect(jobs.find('d2', 'ann')).toBeNull();
    jobs.remove('s1');
    expect(jobs.find('d1', 'ann')).toBeNull();
    expect(store.keys()).toEqual([]);
  });

  it('finds the latest of two records of the same answers, and no failed one', () => {
    const { jobs } = openStore();
    jobs.save(record({ answersDigest: 'd1', failedAt: 5 }));
    expect(jobs.find('d1', 'ann')).toBeNull();
    jobs.save(record({ answersDigest: 'd1', submissionId: 's2' }));
    jobs.save(record({ answersDigest: 'd1', failedAt: 6 }));
    jobs.remove('s1');
    expect(jobs.find('d1', 'ann')).toMatchObject({ submissionId: 's2' });
  });

  it('forgets the digest of a record that it drops', () => {
    const { store, jobs } = openStore();
    jobs.save(record({ answersDigest: 'd1', jobId: null }));
    jobs.load('ann');
    expect(store.keys()).toEqual([]);
  });

  it('finds the record of each user who has submitted the same answers', () => {
    const { jobs } = openStore();
    jobs.save(record({ answersDigest: 'd1' }));
    jobs.save(record({ answersDigest: 'd1', submissionId: 's2', userId: 'bob' }));
    expect([jobs.find('d1', 'ann')?.submissionId, jobs.find('d1', 'bob')?.submissionId]).toEqual(['s1', 's2']);
    jobs.remove('s2');
    expect([jobs.find('d1', 'ann')?.submissionId, jobs.find('d1', 'bob')]).toEqual(['s1', null]);
  });

  it('waits a day for answers to be accepted', () => {
    const { store, recorded } = openStore();
    let now = 1_000;
    const jobs = createJobStore(store, recorded.log, { clock: { now: () => now } });
    jobs.save(record({ jobId: null, submission: {} }));
    now += 24 * 60 * 60_000;
    expect(jobs.load('ann')).toHaveLength(1);
    now += 1;
    expect(jobs.load('ann')).toEqual([]);
    expect(recorded.events).toEqual([{ type: 'job.dropped', reason: 'expired' }]);
    expect(store.keys()).toEqual([]);
  });

  describe('whose answers are kept in the storage of one tab', () => {
    const openTabs = () => {
      const store = memoryStore();
      const [first, second] = [memoryStore(), memoryStore()];
      const recorded = recordedLog();
      const open = (answers: typeof store) =>
        createJobStore(store, recorded.log, { answers, clock: { now: () => 1_500 } });
      return { store, first, recorded, open, jobs: open(first), other: open(second) };
    };
    const unsent = record({ jobId: null, submission: { answers: ['planted'] }, sentAt: 1_100 });

    it('gives them back to that tab after a reload, and leaves the record of another tab alone', () => {
      const { store, first, recorded, open, jobs, other } = openTabs();
      jobs.save(unsent);
      expect(store.keys().map(store.get).join()).not.toContain('planted');
      expect(other.load('ann')).toEqual([]);
      expect(open(first).load('ann')).toEqual([unsent]);
      expect(recorded.events).toEqual([]);
    });

    it('names the record of a tab that is gone, so that the list of jobs is asked for it', () => {
      const { jobs, other } = openTabs();
      jobs.save(unsent);
      expect([other.unclaimed('ann').map((it) => it.submissionId), jobs.unclaimed('ann')]).toEqual([['s1'], []]);
    });

    it('erases them with the acceptance, and when their record is set aside in another tab', () => {
      const { first, jobs, other } = openTabs();
      jobs.save(unsent);
      jobs.save(record());
      expect(first.keys()).toEqual([]);
      jobs.save({ ...unsent, submissionId: 's2' });
      other.setAllAside();
      jobs.load('ann');
      expect(first.keys()).toEqual([]);
    });
  });

  it('keeps a failed job for a day, and says so when it drops it', () => {
    const { store, recorded } = openStore();
    let now = 1_000;
    const jobs = createJobStore(store, recorded.log, { clock: { now: () => now } });
    jobs.save(record({ failedAt: 1_000 }));
    now += 24 * 60 * 60_000;
    expect(jobs.load('ann')).toHaveLength(1);
    now += 1;
    expect(jobs.load('ann')).toEqual([]);
    expect(recorded.events).toEqual([{ type: 'job.dropped', reason: 'expired' }]);
  });

  it('tells a watcher of changes of its record by other tabs, until it leaves', () => {
    const { store, recorded } = openStore();
    const changes$ = new Subject<{ key: string | null }>();
    const jobs = createJobStore(store, recorded.log, { changes$ });
    const change = (key: string | null) => changes$.next({ key });
    let changes = 0;
    const unwatch = jobs.watch('s1', () => (changes += 1));
    const unwatchOther = jobs.watch('s2', () => {});
    change(`${PREFIX}s1`);
    change(`${PREFIX}s2`);
    change('theirs');
    expect(changes).toBe(1);
    change(null);
    expect(changes).toBe(2);
    unwatch();
    unwatch();
    change(`${PREFIX}s1`);
    expect([changes, changes$.observed]).toEqual([2, true]);
    unwatchOther();
    expect(changes$.observed).toBe(false);
  });

  it('never throws, whatever lies in the storage', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        const { jobs, plant } = openStore();
        plant(text);
        expect(jobs.load('ann')).toEqual([]);
      }),
    );
  });
});
