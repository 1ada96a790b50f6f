import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';

export interface Crew<Task, Result> {
  /** Results in the order of the tasks. */
  play(tasks: readonly Task[]): Promise<Result[]>;
  dismiss(): void;
}

/**
 * Processes that take the next task when they are done with one.
 *
 * @param worker a module that ends with {@link serveTasks}
 */
export function forkCrew<Task extends object, Result>(worker: URL, size = availableParallelism()): Crew<Task, Result> {
  const crew = Array.from({ length: size }, () => fork(worker));
  const playOn = (worker: ChildProcess, task: Task) =>
    new Promise<Result>((resolve, reject) => {
      const onExit = (code: number | null) => reject(new Error(`a process of the benchmark ended with ${code}`));
      worker.once('exit', onExit);
      worker.once('message', (result) => {
        worker.off('exit', onExit);
        resolve(result as Result);
      });
      worker.send(task);
    });
  return {
    async play(tasks) {
      const results: Result[] = [];
      const left = tasks.entries();
      await Promise.all(
        crew.map(async (worker) => {
          for (const [index, task] of left) results[index] = await playOn(worker, task);
        }),
      );
      return results;
    },
    dismiss: () => crew.forEach((worker) => worker.disconnect()),
  };
}

/** The other end: plays what it is sent, one after the other. */
export function serveTasks<Task, Result>(play: (task: Task) => Promise<Result>): void {
  process.on('message', (task: Task) => {
    void play(task).then((result) => process.send?.(result));
  });
}
