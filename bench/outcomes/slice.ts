import { type ContestantName, contestants } from '../contestants/index.ts';
import { type Outcome, playOutcome } from './play.ts';
import { anyWorld, type BucketName, type Health, type Shares } from './world.ts';

/** Some worlds of one bucket, small enough to be handed to another process. */
export interface Slice {
  bucket: BucketName;
  firstSeed: number;
  worlds: number;
  shares: Shares;
  health: Health;
}

export interface PlayedSlice {
  outcomes: Record<ContestantName, Outcome[]>;
  /** CPU time that each contestant took, the world around it included, ms. */
  cpuMs: Record<ContestantName, number>;
}

export const contestantNames = Object.keys(contestants) as ContestantName[];

export const forEachContestant = <T>(make: (name: ContestantName) => T) =>
  Object.fromEntries(contestantNames.map((name) => [name, make(name)])) as Record<ContestantName, T>;

/** Each contestant after the other in each world. */
export async function playSlice({ bucket, firstSeed, worlds, shares, health }: Slice): Promise<PlayedSlice> {
  const played: PlayedSlice = { outcomes: forEachContestant(() => []), cpuMs: forEachContestant(() => 0) };
  for (let seed = firstSeed; seed < firstSeed + worlds; seed += 1) {
    const world = anyWorld(bucket, seed, shares);
    for (const name of contestantNames) {
      const before = process.cpuUsage();
      played.outcomes[name].push(await playOutcome(world, contestants[name], health));
      const { user, system } = process.cpuUsage(before);
      played.cpuMs[name] += (user + system) / 1_000;
    }
  }
  return played;
}
