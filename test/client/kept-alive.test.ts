// @vitest-environment jsdom
import { afterEach, expect, it, vi } from 'vitest';
import { pageFetch } from '../../src/client/kept-alive.ts';

afterEach(() => void vi.unstubAllGlobals());

const refused = () => new TypeError('Failed to fetch');
/** Rejects in a later task, as everything does that comes from the network. */
const lose = () => new Promise<never>((_, reject) => setTimeout(() => reject(refused()), 50));
const answer = () => Promise.resolve(new Response('answer'));
const stub = (...behaviours: (() => Promise<Response>)[]) => {
  const calls: (boolean | undefined)[] = [];
  vi.stubGlobal('fetch', (_url: string, init?: RequestInit) => {
    calls.push(init?.keepalive);
    return behaviours[calls.length - 1]?.();
  });
  return calls;
};
const send = (init: RequestInit = {}) =>
  pageFetch('/refresh', { method: 'POST', body: '{}', keepalive: true, ...init });

it('sends a request once more without keepalive when the browser refuses it during the call', async () => {
  const calls = stub(() => Promise.reject(refused()), answer);
  expect(await (await send()).text()).toBe('answer');
  expect(calls).toEqual([true, false]);
});

it('sends a request whose answer was lost once', async () => {
  const calls = stub(lose, answer);
  await expect(send()).rejects.toThrow('Failed to fetch');
  expect(calls).toEqual([true]);
});

it('throws the error of the second request', async () => {
  const calls = stub(
    () => Promise.reject(refused()),
    () => Promise.reject(new TypeError('no network')),
  );
  await expect(send()).rejects.toThrow('no network');
  expect(calls).toEqual([true, false]);
});

it('sends an aborted request once', async () => {
  const controller = new AbortController();
  controller.abort();
  const calls = stub(() => Promise.reject(new DOMException('aborted', 'AbortError')), answer);
  await expect(send({ signal: controller.signal })).rejects.toThrow('aborted');
  expect(calls).toEqual([true]);
});

it('sends a request without keepalive once, whatever becomes of it', async () => {
  const calls = stub(() => Promise.reject(refused()), answer);
  await expect(send({ keepalive: false })).rejects.toThrow('Failed to fetch');
  expect(calls).toEqual([false]);
});

it('sends a request once where the platform has no message channel to tell a refusal by', async () => {
  vi.stubGlobal('MessageChannel', undefined);
  const calls = stub(() => Promise.reject(refused()), answer);
  await expect(send()).rejects.toThrow('Failed to fetch');
  expect(calls).toEqual([true]);
});
